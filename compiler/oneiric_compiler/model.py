"""The values the stages hand on: settings, candidates, decisions, bindings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from oneiric_compiler.annotations import Signature
from oneiric_compiler.diagnostics import Place
from oneiric_compiler.documents import Value

T = TypeVar("T")

FORMAT = "oneiric.explain/1"
DOMAINS = {
    "adapter": "adapters",
    "service": "services",
    "task": "tasks",
    "event": "events",
    "workflow": "workflows",
    "action": "actions",
}

Rule: TypeAlias = Literal[
    "only-candidate",
    "tenant-override",
    "tenant-selection",
    "override",
    "profile-selection",
    "selection",
    "priority",
    "stack-level",
    "registration-order",
]
Filter: TypeAlias = Literal["capability", "python-version", "os-platform"]


@dataclass(frozen=True, slots=True)
class Key:
    """What an application asks for; written `domain:name`."""

    domain: str
    name: str

    def __str__(self) -> str:
        return f"{self.domain}:{self.name}"

    def __lt__(self, other: Key) -> bool:
        return (self.domain, self.name) < (other.domain, other.name)


@dataclass(frozen=True, slots=True)
class Stated(Generic[T]):
    """A value and the place that states it; where it has a name, the place of that; the places of what is in it."""

    value: T
    place: Place
    name_place: Place | None = None
    within: Callable[..., Place] | None = None


@dataclass(frozen=True, slots=True)
class Declaration:
    """A component as declared, by decorator or in settings, before anything is inferred."""

    key: Key
    provider: str
    factory: str
    place: Place
    fields: Mapping[str, Value]
    places: Mapping[str, Place]


@dataclass(slots=True)
class Section:
    """What one layer says of one domain."""

    selections: dict[str, Stated[str]] = field(default_factory=dict[str, Stated[str]])
    requires: dict[str, Stated[tuple[str, ...]]] = field(default_factory=dict[str, Stated[tuple[str, ...]]])
    ports: dict[str, Stated[str]] = field(default_factory=dict[str, Stated[str]])
    components: list[Declaration] = field(default_factory=list[Declaration])
    provider_settings: dict[str, dict[str, Stated[Value]]] = field(default_factory=dict[str, dict[str, Stated[Value]]])
    setting_places: dict[str, Place] = field(default_factory=dict[str, Place])


Layer: TypeAlias = dict[str, Section]


@dataclass(frozen=True, slots=True)
class Overrides:
    """An operator's swaps: for the base, and per tenant."""

    base: Mapping[Key, Stated[str]] = field(default_factory=dict[Key, Stated[str]])
    tenants: Mapping[str, Mapping[Key, Stated[str]]] = field(default_factory=dict[str, Mapping[Key, Stated[str]]])


@dataclass(frozen=True, slots=True)
class App:
    name: str = ""
    packages: tuple[Stated[str], ...] = ()
    plugins: tuple[Stated[str], ...] = ()
    allow: tuple[str, ...] = ()
    source_roots: tuple[str, ...] = (".", "src")
    stack_order: Mapping[str, Stated[int]] = field(default_factory=dict[str, Stated[int]])
    profiles: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    python: str | None = None
    os: str | None = None
    output: str = "generated"

    @property
    def sections(self) -> dict[str, str]:
        """Domain to section: the file's stem, the overlay's key and the wiring's attribute."""
        return {**DOMAINS, **{domain: domain for domain in self.domains}}


@dataclass(slots=True)
class Settings:
    """All settings files, read and shaped.

    Where some of it could not be understood, it is `unsettled`; `incomplete` when candidates may be missing for that.
    """

    app: App
    base: Layer
    profiles: dict[str, Layer]
    tenants: dict[str, Layer]
    overrides: Overrides
    files: dict[str, tuple[str, ...]]
    environment: dict[str, str]
    incomplete: bool = False
    unsettled: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One implementation that could serve a key, with all that precedence asks of it."""

    key: Key
    provider: str
    factory: str
    source: str
    place: Place
    signature: Signature
    priority: int
    priority_from: Literal["declared", "stack-order", "path", "default", "ceiling"]
    priority_place: Place
    stack_level: int
    capabilities: tuple[str, ...]
    needs: Mapping[str, Stated[str]]
    port: Stated[str] | None
    python_version: str | None
    os_platform: tuple[str, ...]
    eager: bool


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every candidate in registration order, by scope: of all, then what profiles and tenants add."""

    base: Mapping[Key, tuple[Candidate, ...]]
    profiles: Mapping[str, Mapping[Key, tuple[Candidate, ...]]]
    tenants: Mapping[str, Mapping[Key, tuple[Candidate, ...]]]
    plugins: Mapping[str, str]
    incomplete: bool = False


@dataclass(frozen=True, slots=True)
class Explicit:
    """An explicit choice of a provider, by the rule it is made under."""

    rule: Rule
    provider: str
    place: Place


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one candidate fared: won, lost by a rule, or was excluded by a filter, with the values compared."""

    candidate: Candidate
    order: int
    won: bool = False
    lost_by: Rule | None = None
    excluded_by: Filter | None = None
    compared: tuple[Value, Value] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """For one key: the winner first, then the losers by rank, then what was filtered out."""

    key: Key
    judgements: tuple[Judgement, ...]
    decided_by: Rule
    decided_at: Place
    because: str

    @property
    def winner(self) -> Candidate:
        return self.judgements[0].candidate


@dataclass(frozen=True, slots=True)
class Setting:
    """A parameter's value: as stated, where, and as the expression that is evaluated at activation."""

    stated: Stated[Value]
    expr: Mapping[str, Any]
    secrets: frozenset[str]
    reads: bool
    unchecked: bool


@dataclass(frozen=True, slots=True)
class Binding:
    """A decision made concrete. `result` is the class of the instance, where its factory tells."""

    decision: Decision
    port: str | None
    settings: Mapping[str, Setting]
    needs: Mapping[str, Key]
    rebuilt_for: tuple[Key, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(sorted({name for setting in self.settings.values() for name in setting.secrets}))

    @property
    def edges(self) -> set[Key]:
        """The keys it needs, the secrets component included."""
        return {*self.needs.values(), *((SECRETS,) if self.secrets else ())}


@dataclass(frozen=True, slots=True)
class Linked:
    """One profile, linked: its bindings, and for each tenant those of its own."""

    bindings: Mapping[Key, Binding]
    tenants: Mapping[str, Mapping[Key, Binding]]


SECRETS = Key("adapter", "secrets")
