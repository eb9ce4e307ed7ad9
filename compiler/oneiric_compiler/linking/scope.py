"""What holds in one profile, or in one tenant of it: the levels, the candidates, and what they ask of a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from oneiric_compiler.model import (
    Candidate,
    Candidates,
    Catalog,
    Explicit,
    Gathered,
    Key,
    Level,
    Section,
    Settings,
    Stated,
)
from oneiric_compiler.tables.tiers import CHOICES, LevelName

NOTHING = Section()


@dataclass(frozen=True, slots=True)
class Question:
    """All that decides a key: its candidates in registration order, explicit choices (strongest first), filters."""

    key: Key
    candidates: tuple[Candidate, ...]
    explicit: tuple[Explicit, ...] = ()
    requires: tuple[str, ...] = ()
    python: str | None = None
    os: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """The levels that hold, weakest first, with the candidates that each adds and an operator's swaps at it.

    `outer` is the profile's that a tenant's lies in.
    """

    settings: Settings
    profile: str | None
    tenant: str | None
    levels: dict[LevelName, Level]
    added: Mapping[LevelName, Candidates]
    swaps: Mapping[LevelName, Mapping[Key, Stated[str]]]
    catalog: Catalog
    outer: Scope | None = None

    @classmethod
    def of_profile(cls, inputs: Gathered, profile: str | None) -> Scope:
        """The scope of a profile; None is the base."""
        settings, catalog = inputs.settings, inputs.catalog
        levels: dict[LevelName, Level] = {"base": settings.base}
        added: dict[LevelName, Candidates] = {"base": catalog.base}
        if profile is not None:
            levels["profile"] = settings.profiles[profile]
            added["profile"] = catalog.profiles.get(profile, {})
        return cls(settings, profile, None, levels, added, {"base": settings.overrides.base}, catalog)

    def of_tenant(self, tenant: str, catalog: Catalog) -> Scope:
        """The scope of a tenant in this one."""
        settings = self.settings
        return replace(
            self,
            outer=self,
            tenant=tenant,
            levels={**self.levels, "tenant": settings.tenants.get(tenant, {})},
            added={**self.added, "tenant": catalog.tenants.get(tenant, {})},
            swaps={**self.swaps, "tenant": settings.overrides.tenants.get(tenant, {})},
        )

    def candidates(self, key: Key) -> tuple[Candidate, ...]:
        found = tuple(each for added in self.added.values() for each in added.get(key, ()))
        if key.domain == "workflow" and self._disables(key.name):
            return tuple(each for each in found if not each.is_declared)
        return found

    def known_keys(self) -> set[Key]:
        found = set[Key]().union(*self.added.values())
        disabled = {key for key in found if key.domain == "workflow" and not self.candidates(key)}
        return found - disabled

    def _disables(self, workflow: str) -> bool:
        """Whether the most specific level that says something of a workflow takes it away."""
        for level in reversed(self.levels.values()):
            section = level.get("workflow", NOTHING)
            if workflow in section.entries.get("workflows", {}):
                return False
            if workflow in section.disable:
                return True
        return False

    def question(self, key: Key) -> Question:
        requires: tuple[str, ...] = ()
        for level in self.levels.values():
            if stated := level.get(key.domain, NOTHING).requires.get(key.name):
                requires = stated.value
        app = self.settings.app
        return Question(key, self.candidates(key), self.explicit(key), requires, app.python, app.os)

    def options(self, key: Key) -> dict[str, Stated[Any]]:
        """The options that the levels state for the key, the most specific of each."""
        found: dict[str, Stated[Any]] = {}
        for level in self.levels.values():
            for name, stated in level.get(key.domain, NOTHING).options.items():
                if key.name in stated:
                    found[name] = stated[key.name]
        return found

    def gather_order(self, pattern: str) -> Stated[tuple[str, ...]] | None:
        """The order of what a pattern gathers that the most specific level states."""
        domain, _, names = pattern.partition(":")
        stated = [level.get(domain, NOTHING).gather_order.get(names) for level in self.levels.values()]
        return next((each for each in reversed(stated) if each), None)

    def layers(self, key: Key) -> Stated[tuple[str, ...]] | None:
        """The layers of a key that the most specific level states."""
        stated = [level.get(key.domain, NOTHING).layers.get(key.name) for level in self.levels.values()]
        return next((each for each in reversed(stated) if each), None)

    def unbound(self, key: Key) -> Stated[str] | None:
        """What takes the key away: the most specific level that unbinds it, where no more specific one selects it."""
        for level in reversed(self.levels.values()):
            section = level.get(key.domain, NOTHING)
            if key.name in section.unbind:
                return section.unbind[key.name]
            if key.name in section.selections:
                return None
        return None

    def explicit(self, key: Key) -> tuple[Explicit, ...]:
        """Every explicit choice for the key, strongest first."""
        found: list[Explicit] = []
        for tier in CHOICES:
            if tier.swapped:
                stated = self.swaps.get(tier.level, {}).get(key)
            else:
                stated = self.levels.get(tier.level, {}).get(key.domain, NOTHING).selections.get(key.name)
            if stated:
                found.append(Explicit(tier, stated.value, stated.place))
        return tuple(found)
