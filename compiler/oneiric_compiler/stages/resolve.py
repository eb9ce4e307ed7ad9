"""Stage 3: which candidate serves each key, and why. Pure: no input but the arguments, no output but the decisions.

Highest wins: explicit choice (tenant override, tenant selection, override, profile selection, selection), priority,
stack level, registration order; what the filters exclude takes no part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.specifiers import SpecifierSet

from oneiric_compiler.diagnostics.found import Diagnostics, did_you_mean
from oneiric_compiler.linking.scope import Question, Scope
from oneiric_compiler.model import (
    Candidate,
    Decision,
    Explicit,
    Filter,
    Inputs,
    Judgement,
    Key,
    Rule,
    Stated,
)
from oneiric_compiler.settings.documents import Value


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


def resolve(inputs: Inputs, profile: str | None, diagnostics: Diagnostics) -> Resolution:
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
    ranked: list[tuple[tuple[int, int, int, int], Candidate]] = []
    for order, candidate in enumerate(question.candidates):
        if failing := _excluded(candidate, question):
            name, compared = failing
            excluded.append(Judgement(candidate, order, excluded_by=name, compared=compared))
        else:
            level = _explicit_level(candidate, question.explicit)
            ranked.append(((level, candidate.priority, candidate.stack_level, order), candidate))
    if not ranked:
        return Filtered(question.key, tuple(excluded))
    ranked.sort(key=lambda each: each[0], reverse=True)
    (best, winner), losers = ranked[0], ranked[1:]
    judgements = [Judgement(winner, best[3], won=True)]
    for rank, loser in losers:
        rule, compared = _lost(question, (rank, loser), (best, winner))
        judgements.append(Judgement(loser, rank[3], lost_by=rule, compared=compared))
    decided_by: Rule = judgements[1].lost_by or "only-candidate" if losers else "only-candidate"
    chosen = question.explicit[-best[0]] if best[0] else None
    if chosen is not None and decided_by == chosen.rule:
        decided_at, because = chosen.place, _chosen_because(chosen)
    else:
        decided_at = winner.priority_place if decided_by == "priority" else winner.place
        because = _because(decided_by, judgements, bool(excluded))
    return Decision(question.key, (*judgements, *excluded), decided_by, decided_at, because)


def tell(decision: Decision | Filtered, question: Question, diagnostics: Diagnostics) -> None:
    """Reports what is wrong or doubtful in a decision that an application depends on."""
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
    elif decision.decided_by == "registration-order":
        winner, loser = decision.judgements[0].candidate, decision.judgements[1].candidate
        same = winner.provider == loser.provider
        names = [f"`{each.provider}`" + (f" ({each.source})" if same else "") for each in (winner, loser)]
        message = f"{names[0]} serves {key} only because it is declared after {names[1]}"
        select = "" if same else f"select one: `selections: {{{key.name}: {winner.provider}}}`, or "
        help = f"{select}give one a higher priority or stack level"
        related = [(f"{names[1]} is declared here", loser.place)]
        diagnostics.add("ONE304", message, winner.place, help=help, related=related)


def _stated_keys(scope: Scope) -> set[Key]:
    """The keys that the tenant's own layer and overrides say something of."""
    layer = scope.layers[-1] if scope.tenant in scope.settings.tenants else {}
    names = {
        Key(domain, name)
        for domain, section in layer.items()
        for name in (*section.selections, *section.requires, *section.ports)
    }
    return names | set(scope.tenant_candidates) | set(scope.settings.overrides.tenants.get(scope.tenant or "", {}))


def _check_choices(scope: Scope, diagnostics: Diagnostics) -> None:
    """Reports what the scope's own layers and overrides choose, filter or promise of what nothing declares."""
    layers, overrides = scope.layers, scope.settings.overrides
    swapped = overrides.base
    if scope.tenant is not None:
        layers, swapped = layers[-1:], overrides.tenants.get(scope.tenant, {})
    sections = [(domain, section) for layer in layers for domain, section in layer.items()]
    chosen = [(Key(domain, name), each) for domain, section in sections for name, each in section.selections.items()]
    for key, choice in (*chosen, *swapped.items()):
        providers = {candidate.provider for candidate in scope.candidates(key)}
        if not providers:
            _unknown_key(key, choice, scope, diagnostics)
        elif choice.value not in providers:
            help = did_you_mean(choice.value, providers)
            diagnostics.add("ONE301", f"{key} has no candidate `{choice.value}`", choice.place, help=help)
    for domain, section in sections:
        named: tuple[Mapping[str, Stated[Any]], ...] = section.requires, section.ports
        for stated in named:
            for name, each in stated.items():
                if not scope.candidates(Key(domain, name)):
                    _unknown_key(Key(domain, name), each, scope, diagnostics)


def _unknown_key(key: Key, stated: Stated[Any], scope: Scope, diagnostics: Diagnostics) -> None:
    names = [each.name for each in scope.known_keys() if each.domain == key.domain]
    help = did_you_mean(key.name, names, "declare a component for it")
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
    question: Question,
    loser: tuple[tuple[int, int, int, int], Candidate],
    winner: tuple[tuple[int, int, int, int], Candidate],
) -> tuple[Rule, tuple[Value, Value]]:
    """The first rule by which one candidate ranks below another, and what they brought to it."""
    (level, priority, stack_level, order), (best_level, best_priority, best_stack, best_order) = loser[0], winner[0]
    if level != best_level:
        return question.explicit[-best_level].rule, (loser[1].provider, winner[1].provider)
    if priority != best_priority:
        return "priority", (priority, best_priority)
    if stack_level != best_stack:
        return "stack-level", (stack_level, best_stack)
    return "registration-order", (order, best_order)


def _chosen_because(chosen: Explicit) -> str:
    if chosen.rule in ("override", "tenant-override"):
        return f"an operator's override selects {chosen.provider}"
    return f"{chosen.place.pointer.partition('#')[0]} selects {chosen.provider}"


def _because(rule: Rule, judgements: Sequence[Judgement], filtered: bool) -> str:
    if rule == "only-candidate":
        return "the only candidate left by the filters" if filtered else "the only candidate"
    runner_up = judgements[1]
    loser = runner_up.candidate.provider
    if loser == judgements[0].candidate.provider:
        loser = f"{loser} ({runner_up.candidate.source})"
    if rule == "registration-order":
        return f"declared after {loser}, equal in all else"
    low, high = runner_up.compared or (None, None)
    return f"{rule.replace('-', ' ')} {high} beats {low} of {loser}"


def _filter_text(judgement: Judgement) -> str:
    has, wanted = judgement.compared or (None, None)
    if judgement.excluded_by == "capability" and isinstance(has, list) and isinstance(wanted, list):
        missing = ", ".join(str(each) for each in wanted if each not in has)
        return f"lacks the capability {missing}"
    if judgement.excluded_by == "allowlist":
        return f"is outside the allowlist of {judgement.candidate.source}"
    if judgement.excluded_by in ("requires", "conflicts"):
        verb = "requires" if judgement.excluded_by == "requires" else "conflicts with"
        return f"{verb} {has}, and {wanted or 'nothing of it'} is there"
    runs_on = ", ".join(map(str, has)) if isinstance(has, list) else has
    word = "Python" if judgement.excluded_by == "python-version" else "the platform"
    return f"runs on {runs_on}, and the target is {word} {wanted}"
