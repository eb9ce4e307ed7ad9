"""What holds in one profile, or in one tenant of it: the levels, the candidates, and what they ask of a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from oneiric_compiler.model import Candidate, Catalog, Explicit, Inputs, Key, Layer, Rule, Section, Settings, Stated

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
    """The layers that hold in one profile, or in one tenant of it."""

    settings: Settings
    base: Mapping[Key, tuple[Candidate, ...]]
    profile: str | None = None
    profile_candidates: Mapping[Key, tuple[Candidate, ...]] = field(default_factory=dict[Key, tuple[Candidate, ...]])
    tenant: str | None = None
    tenant_candidates: Mapping[Key, tuple[Candidate, ...]] = field(default_factory=dict[Key, tuple[Candidate, ...]])

    @classmethod
    def of_profile(cls, inputs: Inputs, profile: str | None) -> Scope:
        """The scope of a profile; None is the base."""
        catalog = inputs.catalog
        return cls(inputs.settings, catalog.base, profile, catalog.profiles.get(profile or "", {}))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Weakest first."""
        layers = [self.settings.base]
        if self.profile is not None:
            layers.append(self.settings.profiles[self.profile])
        if self.tenant is not None:
            layers.append(self.settings.tenants.get(self.tenant, {}))
        return tuple(layers)

    def candidates(self, key: Key) -> tuple[Candidate, ...]:
        return (
            *self.base.get(key, ()),
            *self.profile_candidates.get(key, ()),
            *self.tenant_candidates.get(key, ()),
        )

    def known_keys(self) -> set[Key]:
        return {*self.base, *self.profile_candidates, *self.tenant_candidates}

    def question(self, key: Key) -> Question:
        requires: tuple[str, ...] = ()
        for layer in self.layers:
            if stated := layer.get(key.domain, NOTHING).requires.get(key.name):
                requires = stated.value
        app = self.settings.app
        return Question(key, self.candidates(key), self.explicit(key), requires, app.python, app.os)

    def explicit(self, key: Key) -> tuple[Explicit, ...]:
        """Every explicit choice for the key, strongest first."""
        overrides, settings = self.settings.overrides, self.settings
        tenant = settings.tenants.get(self.tenant, {}) if self.tenant is not None else {}
        profile = settings.profiles[self.profile] if self.profile is not None else {}
        stated: list[tuple[Rule, Stated[str] | None]] = [
            ("tenant-override", overrides.tenants.get(self.tenant or "", {}).get(key)),
            ("tenant-selection", tenant.get(key.domain, NOTHING).selections.get(key.name)),
            ("override", overrides.base.get(key)),
            ("profile-selection", profile.get(key.domain, NOTHING).selections.get(key.name)),
            ("selection", settings.base.get(key.domain, NOTHING).selections.get(key.name)),
        ]
        return tuple(Explicit(rule, each.value, each.place) for rule, each in stated if each)

    def of_tenant(self, tenant: str, catalog: Catalog) -> Scope:
        candidates = catalog.tenants.get(tenant, {})
        return Scope(self.settings, self.base, self.profile, self.profile_candidates, tenant, candidates)
