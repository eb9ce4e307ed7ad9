"""Stage 3: which candidate serves each key, and why. Pure: no input but the arguments, no output but the decisions.

The tiers are those of `tables.tiers`, the strongest first; what the filters exclude takes no part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, TypeAlias

from packaging.specifiers import SpecifierSet

from oneiric_compiler.diagnostics.edits import renaming
from oneiric_compiler.diagnostics.found import Diagnostics, Help, did_you_mean
from oneiric_compiler.linking.aliases import stated_aliases
from oneiric_compiler.linking.scope import Question, Scope
from oneiric_compiler.model import (
    Candidate,
    Decision,
    Explicit,
    Gathered,
    Judgement,
    Key,
    Stated,
)
from oneiric_compiler.settings.documents import Value
from oneiric_compiler.tables.tiers import (
    ALONE,
    AMONG_EQUALS,
    FILTERS,
    ORDER,
    RANKS,
    TIERS,
    ByChoice,
    Filter,
    LevelName,
    Rank,
    Tier,
)

Standing: TypeAlias = tuple[int, ...]
"""How strongly a candidate is chosen, its ranks, its order: the greatest wins."""
_ranks: Callable[[Candidate], tuple[int, ...]] = attrgetter(*(tier.fact for tier in RANKS))


@dataclass(frozen=True, slots=True)
class Filtered:
    """A key none of whose candidates passes the filters."""

    key: Key
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True)
class Resolution:
    """One profile resolved: a decision for every key, and for each tenant those it states something of."""

    scope: Scope
    decisions: dict[Key, Decision | Filtered]
    tenants: dict[str, tuple[Scope, dict[Key, Decision | Filtered]]]


def resolve(inputs: Gathered, profile: str | None, diagnostics: Diagnostics) -> Resolution:
    """Decides every key of a profile (None: the base) and of its tenants; reports choices that name no candidate."""
    settings, catalog = inputs.settings, inputs.catalog
    scope = Scope.of_profile(inputs, profile)
    if not inputs.incomplete:
        _check_choices(scope, diagnostics)
    decisions = {key: decide(scope.question(key)) for key in sorted(scope.known_keys())}
    tenants: dict[str, tuple[Scope, dict[Key, Decision | Filtered]]] = {}
    for name in sorted({*settings.tenants, *settings.overrides.tenants}):
        inner = scope.of_tenant(name, catalog)
        stated = _stated_keys(inner)
        if not inputs.incomplete:
            _check_choices(inner, diagnostics)
        tenants[name] = inner, {key: decide(inner.question(key)) for key in sorted(stated) if inner.candidates(key)}
    return Resolution(scope, decisions, tenants)


def decide(question: Question) -> Decision | Filtered:
    """The decision for one key; `Filtered` when no candidate is left."""
    excluded: list[Judgement] = []
    ranked: list[tuple[Standing, Candidate]] = []
    for order, candidate in enumerate(question.candidates):
        if failing := _excluded(candidate, question):
            name, compared = failing
            excluded.append(Judgement(candidate, order, excluded_by=name, compared=compared))
        else:
            level = _explicit_level(candidate, question.explicit)
            ranked.append(((level, *_ranks(candidate), order), candidate))
    if not ranked:
        return Filtered(question.key, tuple(excluded))
    ranked.sort(key=lambda each: each[0], reverse=True)
    (best, winner), losers = ranked[0], ranked[1:]
    judgements = [Judgement(winner, best[-1], won=True)]
    for standing, loser in losers:
        tier, compared = _lost(question, (standing, loser), (best, winner))
        judgements.append(Judgement(loser, standing[-1], lost_by=tier.rule, compared=compared))
    return _decided(question, best[0], (*judgements, *excluded))


def tell(decision: Decision | Filtered, question: Question, diagnostics: Diagnostics, *, settled: bool = True) -> None:
    """Reports what is wrong in a decision that is depended on, and what is doubtful where all is `settled`."""
    key = decision.key
    top = next((e for e in question.explicit if any(c.provider == e.provider for c in question.candidates)), None)
    if top is not None:
        named = [each for each in decision.judgements if each.candidate.provider == top.provider]
        if all(each.excluded_by for each in named):
            each = named[0]
            message = f"{key} selects `{top.provider}`, which is filtered out: {_filter_text(each)}"
            help = f"select a candidate that passes, or relax what filters `{top.provider}`"
            related = [("declared here", each.candidate.place)]
            diagnostics.add("ONE302", message, top.place, help=help, related=related)
            return
    if isinstance(decision, Filtered):
        place = decision.judgements[0].candidate.place
        reasons = "; ".join(f"`{each.candidate.provider}` {_filter_text(each)}" for each in decision.judgements)
        help = f"relax `requires` or the target, or declare a candidate of {key} that passes"
        diagnostics.add("ONE303", f"every candidate of {key} is filtered out: {reasons}", place, help=help)
    elif decision.decided_by == ORDER.rule and settled:
        winner, loser = decision.judgements[0].candidate, decision.judgements[1].candidate
        same = winner.provider == loser.provider
        names = [f"`{each.provider}`" + (f" ({each.source})" if same else "") for each in (winner, loser)]
        message = f"{names[0]} serves {key} only because it is declared after {names[1]}"
        select = "" if same else f"select one: `selections: {{{key.name}: {winner.provider}}}`, or "
        help = f"{select}give one a higher {' or '.join(rank.words for rank in RANKS)}"
        related = [(f"{names[1]} is declared here", loser.place)]
        diagnostics.add("ONE304", message, winner.place, help=help, related=related)


def _stated_keys(scope: Scope) -> set[Key]:
    """The keys that the tenant's own level and overrides say something of."""
    names = {
        Key(domain, name)
        for domain, section in scope.levels["tenant"].items()
        for name in (*section.selections, *section.requires, *section.ports)
    }
    return names.union(scope.added["tenant"], scope.swaps["tenant"])


def _check_choices(scope: Scope, diagnostics: Diagnostics) -> None:
    """Reports what the scope's own levels and overrides choose, filter or promise of what nothing declares."""
    own: list[LevelName] = ["tenant"] if scope.tenant is not None else list(scope.levels)
    aliases = stated_aliases(scope)
    swapped = {key: choice for level in own for key, choice in scope.swaps.get(level, {}).items()}
    sections = [(domain, section) for level in own for domain, section in scope.levels[level].items()]
    chosen = [(Key(domain, name), each) for domain, section in sections for name, each in section.selections.items()]
    for key, choice in (*chosen, *swapped.items()):
        providers = {candidate.provider for candidate in scope.candidates(key)}
        if not providers and key in aliases:
            continue
        if not providers:
            _unknown_key(key, choice, scope, diagnostics, choice.value)
        elif choice.value not in providers:
            help: Help = partial(did_you_mean, choice.value, providers)
            if scope.catalog.layer(key, choice.value):
                help = f"it is a layer, which wraps what serves a key: `layers: {{{key.name}: [{choice.value}]}}`"
            diagnostics.add("ONE301", f"{key} has no candidate `{choice.value}`", choice.place, help=help)
    for domain, section in sections:
        named: tuple[Mapping[str, Stated[Any]], ...] = section.requires, section.ports
        for stated in named:
            for name, each in stated.items():
                if Key(domain, name) not in aliases and not scope.candidates(Key(domain, name)):
                    _unknown_key(Key(domain, name), each, scope, diagnostics)


def _unknown_key(
    key: Key, stated: Stated[Any], scope: Scope, diagnostics: Diagnostics, provider: str | None = None
) -> None:
    help = partial(_other_key, key, scope, provider)
    message = f"nothing declares a component for {key}"
    diagnostics.add("ONE305", message, stated.name_place or stated.place, help=help)


def _excluded(candidate: Candidate, question: Question) -> tuple[Filter, tuple[Value, Value]] | None:
    if candidate.barred:
        return candidate.barred
    if not set(question.requires) <= set(candidate.capabilities):
        return "capability", (list(candidate.capabilities), list(question.requires))
    if candidate.python_version and question.python:
        runs = SpecifierSet(candidate.python_version).contains(question.python, prereleases=True)
        if not runs:
            return "python-version", (candidate.python_version, question.python)
    if candidate.os_platform and question.os and question.os not in candidate.os_platform:
        return "os-platform", (list(candidate.os_platform), question.os)
    return None


def _explicit_level(candidate: Candidate, explicit: Sequence[Explicit]) -> int:
    """0 when nobody chose it; else higher for a stronger choice, so that `explicit[-level]` is that choice."""
    for index, each in enumerate(explicit):
        if each.provider == candidate.provider:
            return len(explicit) - index
    return 0


def _lost(
    question: Question, loser: tuple[Standing, Candidate], winner: tuple[Standing, Candidate]
) -> tuple[Tier, tuple[Value, Value]]:
    """The first tier at which one candidate stands below another, and what they bring to it."""
    (own, candidate), (best, chosen) = loser, winner
    place = next(place for place, pair in enumerate(zip(own, best, strict=True)) if pair[0] != pair[1])
    if place == 0:
        return question.explicit[-best[0]].tier, (candidate.provider, chosen.provider)
    return AMONG_EQUALS[place - 1], (own[place], best[place])


def _decided(question: Question, level: int, judgements: tuple[Judgement, ...]) -> Decision:
    """The decision, with the sentence that says why; `level` is that of the winner's explicit choice."""
    winner, runner_up = judgements[0].candidate, judgements[1] if len(judgements) > 1 else None
    if runner_up is None or runner_up.lost_by is None:
        because = "the only candidate" if runner_up is None else "the only candidate left by the filters"
        return Decision(question.key, judgements, ALONE, winner.place, because)
    tier, (low, high) = TIERS[runner_up.lost_by], runner_up.compared or (None, None)
    if isinstance(tier, ByChoice):
        place = question.explicit[-level].place
    else:
        place = getattr(winner, tier.place) if isinstance(tier, Rank) else winner.place
    loser = runner_up.candidate
    named = loser.provider if loser.provider != winner.provider else f"{loser.provider} ({loser.source})"
    told = {"winner": winner.provider, "loser": named, "low": low, "high": high}
    because = tier.won.format(**told, words=tier.words, file=place.pointer.partition("#")[0])
    return Decision(question.key, judgements, tier.rule, place, because)


def _filter_text(judgement: Judgement) -> str:
    assert judgement.excluded_by is not None
    has, wanted = judgement.compared or (None, None)
    brings, asks = (each if isinstance(each, list) else [each] for each in (has, wanted))
    sieve = FILTERS[judgement.excluded_by]
    return sieve.told.format(
        has=", ".join(map(str, brings)),
        wanted=wanted or sieve.nothing,
        missing=", ".join(str(each) for each in asks if each not in brings),
        source=judgement.candidate.source,
    )


def _other_key(key: Key, scope: Scope, provider: str | None = None) -> str | None:
    """A key called alike; else the one that has the provider, as upstream's `messaging: slack` is `chat: slack`."""
    known = [each for each in scope.known_keys() if each.domain == key.domain]
    having = [each.name for each in known if any(of.provider == provider for of in scope.candidates(each))]
    instead = "declare a component for it"
    if len(having) == 1:
        instead = renaming(f"`{having[0]}` has it: `{having[0]}: {provider}`", key.name, having[0])
    return did_you_mean(key.name, [each.name for each in known], instead)
