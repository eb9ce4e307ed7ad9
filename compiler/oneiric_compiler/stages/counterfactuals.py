"""What it would take for a loser to win: for each the smallest edits of the project's own files that make it. Pure.

An edit is `{"at": PLACE, "set": VALUE}`; without `set` the value is the reader's to state: a parameter that the loser
requires and nobody has set. A place of a decorator names the argument: `shop/parts.py#Redis/priority`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from typing import Any, TypeAlias

from oneiric_compiler.diagnostics.found import Place
from oneiric_compiler.linking.scope import NOTHING, Question, Scope
from oneiric_compiler.model import Candidate, Catalog, Decision, Explicit, Key
from oneiric_compiler.settings.documents import json_pointer
from oneiric_compiler.stages.resolve import decide
from oneiric_compiler.tables.tiers import CHOICES, RANKS, LevelName, Rank

Edit: TypeAlias = dict[str, Any]
Alternatives: TypeAlias = list[list[Edit]]
Ranked: TypeAlias = tuple[Candidate, Rank, int]
"""A candidate with another number to be ranked by."""


def wins_if(scope: Scope, catalog: Catalog, decision: Decision) -> dict[int, Alternatives]:
    """By order, for every loser of a decision the alternatives to make it win; none where only others' files can.

    They hold in the profile that was decided, with all its tenants; those for a tenant, in that and its profile. What
    else a compile of the edited files may tell: a need that nothing serves, a cycle of needs, another profile that asks
    for more.
    """
    losers = [each for each in decision.judgements if each.lost_by]
    if not losers:
        return {}
    asked = _asked(scope, catalog, decision)
    return {each.order: asked.alternatives(each.candidate, rank) for rank, each in enumerate(losers, 1)}


def _asked(scope: Scope, catalog: Catalog, decision: Decision) -> _Asked:
    named: dict[str, list[Candidate]] = {}
    for each in decision.judgements:
        if not each.excluded_by:
            named.setdefault(each.candidate.provider, []).append(each.candidate)
    origins: dict[Candidate, LevelName] = {
        each: level for level, added in scope.added.items() for each in added.get(decision.key, ())
    }
    return _Asked(scope, catalog, decision.key, decision.winner, named, origins)


@dataclass(frozen=True)
class _Asked:
    """A decided key: its winner, the candidates left by the filters, by provider, and the level each belongs to."""

    scope: Scope
    catalog: Catalog
    key: Key
    winner: Candidate
    named: Mapping[str, Sequence[Candidate]]
    origins: Mapping[Candidate, LevelName]

    def alternatives(self, loser: Candidate, rank: int) -> Alternatives:
        rivals = list(takewhile(lambda each: each is not loser, self.named[loser.provider]))
        chosen = next((each.provider for each in self.scope.explicit(self.key)), None)
        choice = self._choice(loser) if chosen != loser.provider else None
        levels = list(self.scope.levels)
        found: Alternatives = []
        if choice and not rivals:
            found.append(self._edits(loser, levels, choice, ()))
        ranks = _raised(loser, self.winner) if chosen in (None, loser.provider) else []
        needed = None
        if not ranks and rivals and (choice or chosen == loser.provider):
            ranks = _raised(loser, rivals[0]) or _lowered(rivals, loser)
            needed = choice if len(rivals) < rank else None
        if ranks:
            found.append(self._edits(loser, levels[: levels.index(self.origins[loser]) + 1], needed, ranks))
        return found

    def _choice(self, loser: Candidate) -> Explicit | None:
        """The explicit choice that selects the loser where it is asked about.

        None for a tenant where one profile alone declares the loser: a tenant's file holds in every profile.
        """
        level = list(self.scope.levels)[-1]
        top = next(iter(self.scope.explicit(self.key)), None)
        if top is not None and top.tier.swapped and (top.tier.level == "tenant") == (level == "tenant"):
            return replace(top, provider=loser.provider)
        if level == "tenant" and self.origins[loser] == "profile":
            return None
        tier = next(each for each in CHOICES if each.level == level and not each.swapped)
        return Explicit(tier, loser.provider, Place(self.place(level, "selections", self.key.name)))

    def _edits(
        self, loser: Candidate, levels: Sequence[LevelName], choice: Explicit | None, ranks: Sequence[Ranked]
    ) -> list[Edit]:
        """A choice and ranks as edits, and what keeps them from breaking something: the loser's parameters that the
        levels do not set, and what other scopes would lack."""
        missing = self.missing(loser, levels)
        kept: list[Edit] = []
        lacking: list[Edit] = []
        reaching = choice if self.scope.outer is None else None
        lowers = any(candidate is not loser for candidate, _, _ in ranks)
        for other in self.others if reaching or lowers else ():
            serves = other.serves(reaching, ranks)
            if serves is None:
                kept.append(_set(other.place("tenant", "selections", self.key.name), other.winner.provider))
            elif serves is not loser:
                shared = missing if serves.provider == loser.provider and self.origins[loser] != "tenant" else []
                names = other.missing(serves, list(other.scope.levels))
                further = other.parameters(serves, [name for name in names if name not in shared])
                lacking += [edit for edit in further if edit not in lacking]
        chosen = [_set(str(choice.place), choice.provider)] if choice else []
        ranked = [_set(f"{candidate.place}/{rank.fact}", value) for candidate, rank, value in ranks]
        return [*chosen, *kept, *ranked, *self.parameters(loser, missing), *lacking]

    @cached_property
    def others(self) -> list[_Asked]:
        """The scopes that edits for this one reach, and that they may serve otherwise: the profile's tenants that say
        something of the key; for a tenant, its profile."""
        if self.scope.outer is not None:
            scopes = [self.scope.outer]
        else:
            own = {name for name, added in self.catalog.tenants.items() if self.key in added}
            for name, level in self.scope.settings.tenants.items():
                if self.key.name in level.get(self.key.domain, NOTHING).requires:
                    own.add(name)
            scopes = [self.scope.of_tenant(name, self.catalog) for name in sorted(own)]
        decided = [(scope, decide(scope.question(self.key))) for scope in scopes]
        return [_asked(scope, self.catalog, each) for scope, each in decided if isinstance(each, Decision)]

    def serves(self, choice: Explicit | None, ranks: Sequence[Ranked]) -> Candidate | None:
        """What serves this scope once a choice and ranks of another one are made; None where what is chosen cannot."""
        explicit = self.scope.explicit(self.key)
        if choice and any(CHOICES.index(each.tier) < CHOICES.index(choice.tier) for each in explicit):
            choice = None
        if ranks:
            question = self.scope.question(self.key)
            decision = decide(_supposing(question, choice, ranks))
            serves = question.candidates[decision.judgements[0].order]
            return serves if choice is None or serves.provider == choice.provider else None
        return self.winner if choice is None else next(iter(self.named.get(choice.provider, ())), None)

    def missing(self, candidate: Candidate, levels: Sequence[LevelName]) -> list[str]:
        """The parameters without a default that the levels do not set for the candidate."""
        parameters = (candidate.signature.parameters or {}).values()
        required = [each.name for each in parameters if each.required and each.name not in candidate.handed]
        sections = [self.scope.levels[level].get(self.key.domain, NOTHING) for level in levels if required]
        entries = candidate.provider, self._entry(candidate)
        given = {name for each in sections for entry in entries for name in each.provider_settings.get(entry, ())}
        return [name for name in required if name not in given]

    def parameters(self, candidate: Candidate, names: Sequence[str]) -> list[Edit]:
        """Parameters that are the reader's to set, where the candidate is declared."""
        origin, entry = self.origins[candidate], self._entry(candidate)
        return [{"at": self.place(origin, "provider_settings", entry, name)} for name in names]

    def _entry(self, candidate: Candidate) -> str:
        return f"{self.key.name}/{candidate.provider}"

    def place(self, level: LevelName, *path: str) -> str:
        """A place in the domain's file, or in its section of an overlay's."""
        section = self.scope.settings.app.sections[self.key.domain]
        if level == "base":
            return f"settings/{section}.yml#{json_pointer(*path)}"
        overlay = f"profiles/{self.scope.profile}" if level == "profile" else f"tenants/{self.scope.tenant}"
        return f"settings/{overlay}.yml#{json_pointer(section, *path)}"


def _supposing(question: Question, choice: Explicit | None, ranks: Sequence[Ranked]) -> Question:
    """The question as it would be with a choice at its tier, and with other ranks."""
    explicit = [each for each in question.explicit if choice is None or each.tier is not choice.tier]
    explicit += [choice] if choice else []
    candidates = list(question.candidates)
    for candidate, rank, value in ranks:
        if candidate in question.candidates:
            place = question.candidates.index(candidate)
            changed: dict[str, Any] = {rank.fact: value}
            candidates[place] = replace(candidates[place], **changed)
    strongest_first = sorted(explicit, key=lambda each: CHOICES.index(each.tier))
    return replace(question, candidates=tuple(candidates), explicit=tuple(strongest_first))


def _raised(loser: Candidate, rival: Candidate) -> list[Ranked]:
    """What the loser would have to be declared with to outrank the rival; nothing where it cannot be edited."""
    if not loser.is_own:
        return []
    for rank in _from_weakest(loser, rival):
        if rank.of(rival) < rank.bound:
            return [(loser, rank, rank.of(rival) + 1)]
    raised: list[Ranked] = []
    for rank in RANKS:
        own, others = rank.of(loser), rank.of(rival)
        if own > others:
            return raised
        if others < rank.bound:
            return [*raised, (loser, rank, others + 1)]
        if own < others:
            raised.append((loser, rank, others))
    return []


def _lowered(rivals: Sequence[Candidate], loser: Candidate) -> list[Ranked]:
    """What the rivals would have to be declared with to rank below the loser; nothing where one cannot be edited."""
    lowered: list[Ranked] = []
    for rival in rivals:
        able = (rank for rank in _from_weakest(loser, rival) if rank.of(loser) > -rank.bound)
        rank = next(able, None) if rival.is_own else None
        if rank is None:
            return []
        lowered.append((rival, rank, rank.of(loser) - 1))
    return lowered


def _from_weakest(one: Candidate, other: Candidate) -> Iterator[Rank]:
    """The ranks that alone could turn the order of two candidates: those whose stronger ones are all equal."""
    equal = len([*takewhile(lambda rank: rank.of(one) == rank.of(other), RANKS)])
    yield from reversed(RANKS[: equal + 1])


def _set(at: str, value: Any) -> Edit:
    return {"at": at, "set": value}
