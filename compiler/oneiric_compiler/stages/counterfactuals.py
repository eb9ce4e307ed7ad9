"""What it would take for a loser to win: for each the smallest edits of the project's own files that make it. Pure.

An edit is `{"at": PLACE, "set": VALUE}`; without `set` the value is the reader's to state: a parameter that the loser
requires and nobody has set. A place of a decorator names the argument: `shop/parts.py#Redis/priority`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, TypeAlias

from oneiric_compiler.linking.scope import NOTHING, Scope
from oneiric_compiler.model import Candidate, Catalog, Decision, Key
from oneiric_compiler.settings.documents import json_pointer
from oneiric_compiler.stages.resolve import decide
from oneiric_compiler.tables.tiers import RANKS, LevelName, Rank

Edit: TypeAlias = dict[str, Any]
Alternatives: TypeAlias = list[list[Edit]]


def wins_if(scope: Scope, catalog: Catalog, decision: Decision) -> dict[int, Alternatives]:
    """By order, for every loser of a decision the alternatives to make it win; none where only others' files can.

    They hold in the profile that was decided, with all its tenants. What else a compile of the edited files may tell: a
    need that nothing serves, a cycle of needs, another profile that asks for more.
    """
    ranked = [each.candidate for each in decision.judgements if not each.excluded_by]
    losers = {each.order: each.candidate for each in decision.judgements if each.lost_by}
    if not losers:
        return {}
    ranks = {each: rank for rank, each in enumerate(ranked)}
    named: dict[str, list[Candidate]] = {}
    for each in ranked:
        named.setdefault(each.provider, []).append(each)
    origins: dict[Candidate, LevelName] = {
        each: level for level, added in scope.added.items() for each in added.get(decision.key, ())
    }
    asked = _Asked(scope, catalog, decision.key, ranked[0], named, origins)
    return {order: asked.alternatives(loser, ranks[loser]) for order, loser in losers.items()}


@dataclass(frozen=True, slots=True)
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
        selection = self._selection(loser) if chosen != loser.provider else []
        found: Alternatives = []
        if selection and not rivals:
            found.append([*selection, *self._required(loser, list(self.scope.levels))])
        ranks = _raised(loser, self.winner) if chosen in (None, loser.provider) else []
        if not ranks and rivals and (selection or chosen == loser.provider):
            above = _raised(loser, rivals[0]) or _lowered(rivals, loser)
            selected = selection if len(rivals) < rank else []
            ranks = [*selected, *above] if above else []
        if ranks:
            levels = list(self.scope.levels)
            found.append([*ranks, *self._required(loser, levels[: levels.index(self._origin(loser)) + 1])])
        return found

    def _selection(self, loser: Candidate) -> list[Edit]:
        """The edits that select the loser where it is asked about, and keep what they would break elsewhere.

        None for a tenant where one profile alone declares the loser: a tenant's file holds in every profile.
        """
        scope = self.scope
        top = next(iter(scope.explicit(self.key)), None)
        if top is not None and top.tier.swapped and top.tier.level == ("base" if scope.tenant is None else "tenant"):
            return [_set(str(top.place), loser.provider), *self._kept(loser.provider)]
        if scope.tenant is not None:
            one_profile = self._origin(loser) == "profile"
            return [] if one_profile else [self._select(f"tenants/{scope.tenant}", loser.provider)]
        overlay = None if scope.profile is None else f"profiles/{scope.profile}"
        return [self._select(overlay, loser.provider), *self._kept(loser.provider)]

    def _kept(self, provider: str) -> Iterator[Edit]:
        """What tenants that require more than the provider has are served by now, and would otherwise not inherit."""
        tenants = self.scope.settings.tenants if self.scope.tenant is None else {}
        for name, level in tenants.items():
            if self.key.name not in level.get(self.key.domain, NOTHING).requires:
                continue
            scope = self.scope.of_tenant(name, self.catalog)
            decision = decide(scope.question(self.key))
            named = [each for each in decision.judgements if each.candidate.provider == provider]
            chooses = any(each.tier.level == "tenant" for each in scope.explicit(self.key))
            if isinstance(decision, Decision) and not chooses and all(each.excluded_by for each in named):
                yield self._select(f"tenants/{name}", decision.winner.provider)

    def _select(self, overlay: str | None, provider: str) -> Edit:
        return _set(self._place(overlay, "selections", self.key.name), provider)

    def _required(self, loser: Candidate, levels: Sequence[LevelName]) -> Iterator[Edit]:
        """The parameters without a default that the levels do not set for the loser."""
        parameters = (loser.signature.parameters or {}).values()
        required = [each.name for each in parameters if each.required and each.name not in loser.needs]
        entry = f"{self.key.name}/{loser.provider}"
        sections = [self.scope.levels[level].get(self.key.domain, NOTHING) for level in levels if required]
        stated = [each.provider_settings.get(named, ()) for each in sections for named in (loser.provider, entry)]
        given = {name for fields in stated for name in fields}
        overlays = {"profile": f"profiles/{self.scope.profile}", "tenant": f"tenants/{self.scope.tenant}"}
        overlay = overlays.get(self._origin(loser))
        for name in required:
            if name not in given:
                yield {"at": self._place(overlay, "provider_settings", entry, name)}

    def _origin(self, candidate: Candidate) -> LevelName:
        """Which level the candidate belongs to."""
        return self.origins[candidate]

    def _place(self, overlay: str | None, *path: str) -> str:
        """A place in the domain's file, or in its section of an overlay's."""
        section = self.scope.settings.app.sections[self.key.domain]
        if overlay is None:
            return f"settings/{section}.yml#{json_pointer(*path)}"
        return f"settings/{overlay}.yml#{json_pointer(section, *path)}"


def _raised(loser: Candidate, rival: Candidate) -> list[Edit]:
    """Edits of the loser's declaration after which it outranks the rival; none where it cannot be edited."""
    if not loser.is_own:
        return []
    for rank in _from_weakest(loser, rival):
        if rank.of(rival) < rank.bound:
            return [_ranked(loser, rank, rank.of(rival) + 1)]
    edits: list[Edit] = []
    for rank in RANKS:
        own, others = rank.of(loser), rank.of(rival)
        if own > others:
            return edits
        if others < rank.bound:
            return [*edits, _ranked(loser, rank, others + 1)]
        if own < others:
            edits.append(_ranked(loser, rank, others))
    return []


def _lowered(rivals: Sequence[Candidate], loser: Candidate) -> list[Edit]:
    """Edits of the rivals' declarations after which the loser outranks them; none where one cannot be edited."""
    edits: list[Edit] = []
    for rival in rivals:
        able = (rank for rank in _from_weakest(loser, rival) if rank.of(loser) > -rank.bound)
        rank = next(able, None) if rival.is_own else None
        if rank is None:
            return []
        edits.append(_ranked(rival, rank, rank.of(loser) - 1))
    return edits


def _from_weakest(one: Candidate, other: Candidate) -> Iterator[Rank]:
    """The ranks that alone could turn the order of two candidates: those whose stronger ones are all equal."""
    equal = len([*takewhile(lambda rank: rank.of(one) == rank.of(other), RANKS)])
    yield from reversed(RANKS[: equal + 1])


def _ranked(candidate: Candidate, rank: Rank, value: int) -> Edit:
    return _set(f"{candidate.place}/{rank.fact}", value)


def _set(at: str, value: Any) -> Edit:
    return {"at": at, "set": value}
