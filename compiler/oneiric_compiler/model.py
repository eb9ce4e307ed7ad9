"""The values the stages hand on: settings, candidates, decisions, bindings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from oneiric import secret

from oneiric_compiler.diagnostics.found import Place
from oneiric_compiler.settings.documents import Value
from oneiric_compiler.settings.folder import settings_folder
from oneiric_compiler.source.modules import Sources
from oneiric_compiler.source.signatures import Signature
from oneiric_compiler.tables import builtins
from oneiric_compiler.tables.options import KEY_OPTIONS
from oneiric_compiler.tables.tiers import RANKS, ByChoice, Filter, Rule

T = TypeVar("T")

FORMAT = "oneiric.explain/1"
PROVIDED = "provided", "oneiric.errors:NotProvided"
"""The provider of what the application hands in, and, for a factory, what is raised where it does not."""
DECLARED = "declared", "oneiric.declared:flow"
"""The provider of a workflow that the settings declare, and, for a factory, what makes it."""
DOMAINS = {
    "adapter": "adapters",
    "service": "services",
    "task": "tasks",
    "event": "events",
    "workflow": "workflows",
    "action": "actions",
}


@dataclass(frozen=True, slots=True)
class Project:
    """What a compile reads: the project's root, its settings folder, the environment, an operator's overrides.

    Manifests are held against `evaluated_at` (None: now), and those that expire before `valid_until` are told of.
    `unsaved` are texts of an editor, read instead of the files they will be written to.
    """

    root: Path
    settings: Path
    environ: Mapping[str, str]
    overrides: Path | None = None
    evaluated_at: datetime | None = None
    valid_until: datetime | None = None
    unsaved: Mapping[Path, str] = field(default_factory=dict[Path, str])

    @classmethod
    def at(cls, root: Path, environ: Mapping[str, str], overrides: Path | None = None) -> Project:
        """The project in `root`; ONEIRIC_CONFIG names another settings folder."""
        return cls(root.resolve(), settings_folder(root, environ), environ, overrides)


class Key(NamedTuple):
    """What an application asks for; written `domain:name`."""

    domain: str
    name: str

    def __str__(self) -> str:
        return f"{self.domain}:{self.name}"


class Stated(NamedTuple, Generic[T]):
    """A value and the place that states it; where it has a name, the place of that; the places of what is in it.

    `kept` are the paths in it to what a level below states, where the value is merged field by field.
    """

    value: T
    place: Place
    name_place: Place | None = None
    within: Callable[..., Place] | None = None
    kept: tuple[tuple[str | int, ...], ...] = ()

    def at(self, *path: str | int) -> Place:
        """The place of what is at a path in the value."""
        return self.within(*path) if self.within else self.place


@dataclass(frozen=True, slots=True)
class Declaration:
    """A component as declared, by decorator or in settings, before anything is inferred."""

    key: Key
    provider: str
    factory: str
    place: Place
    fields: Mapping[str, Value]
    places: Mapping[str, Place]


class Entry(NamedTuple):
    """What one level, or all together, state of a workflow, queue, topic, subscription or schedule: its fields, and the
    parts that are merged one by one, which are nodes."""

    place: Place
    fields: Mapping[str, Stated[Any]]
    parts: Mapping[str, Entry] = {}


@dataclass(slots=True)
class Section:
    """What one level says of one domain; `options` are those of keys, by option and key, `gather_order` is of what each
    pattern gathers, `layers` are `NAME` or `NAME:LABEL` by key, `unbind` are the names of keys that it takes away,
    `aliases` the keys that others are. `entries` are by kind and name, `single` what is stated once; `disable` are the
    names of entries that it takes away."""

    selections: dict[str, Stated[str]] = field(default_factory=dict[str, Stated[str]])
    requires: dict[str, Stated[tuple[str, ...]]] = field(default_factory=dict[str, Stated[tuple[str, ...]]])
    ports: dict[str, Stated[str]] = field(default_factory=dict[str, Stated[str]])
    components: list[Declaration] = field(default_factory=list[Declaration])
    provider_settings: dict[str, dict[str, Stated[Value]]] = field(default_factory=dict[str, dict[str, Stated[Value]]])
    setting_places: dict[str, Place] = field(default_factory=dict[str, Place])
    options: dict[str, dict[str, Stated[Any]]] = field(default_factory=dict[str, dict[str, Stated[Any]]])
    gather_order: dict[str, Stated[tuple[str, ...]]] = field(default_factory=dict[str, Stated[tuple[str, ...]]])
    layers: dict[str, Stated[tuple[str, ...]]] = field(default_factory=dict[str, Stated[tuple[str, ...]]])
    unbind: dict[str, Stated[str]] = field(default_factory=dict[str, Stated[str]])
    aliases: dict[str, Stated[str]] = field(default_factory=dict[str, Stated[str]])
    entries: dict[str, dict[str, Entry]] = field(default_factory=dict[str, dict[str, Entry]])
    single: dict[str, Stated[Any]] = field(default_factory=dict[str, Stated[Any]])
    disable: dict[str, Stated[str]] = field(default_factory=dict[str, Stated[str]])


Level: TypeAlias = dict[str, Section]


@dataclass(frozen=True, slots=True)
class Overrides:
    """An operator's swaps: for the base, and per tenant."""

    base: Mapping[Key, Stated[str]] = field(default_factory=dict[Key, Stated[str]])
    tenants: Mapping[str, Mapping[Key, Stated[str]]] = field(default_factory=dict[str, Mapping[Key, Stated[str]]])


@dataclass(frozen=True, slots=True)
class App:
    name: str = ""
    packages: tuple[Stated[str], ...] = ()
    excluded: tuple[Stated[str], ...] = ()
    plugins: tuple[Stated[str], ...] = ()
    allow: tuple[str, ...] = ()
    source_roots: tuple[str, ...] = (".", "src")
    stack_order: Mapping[str, Stated[int]] = field(default_factory=dict[str, Stated[int]])
    profiles: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    python: str | None = None
    os: str | None = None
    output: str = "generated"
    roles: Mapping[str, Stated[tuple[str, ...]]] = field(default_factory=dict[str, Stated[tuple[str, ...]]])

    @property
    def sections(self) -> dict[str, str]:
        """Domain to section: the file's stem, the overlay's key and the wiring's attribute."""
        return {**DOMAINS, **{domain: domain for domain in self.domains}}


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """A source of manifests, as settings/remote.yml states it.

    `keys` are the trusted public keys (base64 of 32 bytes), wherever they are stated: here, in the key file or in
    ONEIRIC_TRUSTED_PUBLIC_KEYS. `calls` and `topics` are what its workflows may call besides its own, and what its
    handlers may be told of. `refresh`, `connect` and `total` are seconds, `minimum_rate` is bytes a second, the
    `max_` of bytes are bytes; `auth_value` holds a secret reference, never a secret.
    """

    name: str
    address: str
    keys: tuple[str, ...]
    place: Place
    threshold: int = 1
    allow: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    required: bool = True
    unversioned: bool = False
    ceilings: Mapping[str, int] = field(default_factory=lambda: {rank.fact: rank.ceiling for rank in RANKS})
    refresh: int = 300
    max_bytes: int = 1048576
    max_entries: int = 10000
    max_depth: int = 32
    max_artifact_bytes: int = 33554432
    connect: float = 5
    total: float = 30
    minimum_rate: int = 1024
    redirects: tuple[str, ...] = ()
    auth_header: str | None = None
    auth_value: str | None = None

    @property
    def is_file(self) -> bool:
        """Whether the address is a path in the project."""
        return "://" not in self.address


@dataclass(frozen=True, slots=True)
class Remote:
    """settings/remote.yml: the folders that files may lie in, and the sources in registration order.

    `environment_keys` are those of ONEIRIC_TRUSTED_PUBLIC_KEYS where a source uses them.
    """

    roots: tuple[str, ...] = ()
    sources: tuple[RemoteSource, ...] = ()
    environment_keys: tuple[str, ...] = ()


@dataclass(slots=True)
class Settings:
    """All settings files, read and shaped.

    Where some of it could not be understood, it is `unsettled`; `incomplete` when candidates may be missing for that.
    """

    app: App
    base: Level
    profiles: dict[str, Level]
    tenants: dict[str, Level]
    overrides: Overrides
    files: dict[str, tuple[str, ...]]
    environment: dict[str, str]
    remote: Remote = Remote()
    incomplete: bool = False
    unsettled: bool = False

    def sections(self) -> Iterator[tuple[str, Section]]:
        """What every level says of each domain: the base, all profiles and all tenants."""
        for level in (self.base, *self.profiles.values(), *self.tenants.values()):
            yield from level.items()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why what a source's manifest says may be believed: the pinned document, and whose signatures held.

    `digest` is the SHA-256 of its bytes; `version` is None where the source is unversioned; `expires_at` is ISO 8601.
    """

    source: str
    version: int | None
    digest: str
    keys: tuple[str, ...]
    expires_at: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One implementation that could serve a key, with all that precedence asks of it.

    One of a manifest has its `trust`; what was `held` under the source's ceiling, as stated; the `artifact` its factory
    is in (`SHA256 NAME`); what it is `barred` by, with the values compared: it then takes no part anywhere.

    Of what its manifest says besides: the workflow that it is, a `flow`; the `subscription` that it handles; `retry`
    and `timeout` of whatever is `calling` it and states none.

    `needs` are its parameters that are handed one key, `gathers` those that are handed several: a list of keys, or a
    pattern.
    """

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
    gathers: Mapping[str, Stated[str | tuple[str, ...]]]
    optional: tuple[str, ...]
    lazy: tuple[str, ...]
    layer: bool
    port: Stated[str] | None
    python_version: str | None
    os_platform: tuple[str, ...]
    eager: bool
    blocking: bool
    idempotent: bool | tuple[str, ...] = False
    artifact: str | None = None
    trust: Evidence | None = None
    held: Mapping[str, int] = field(default_factory=dict[str, int])
    barred: tuple[Filter, tuple[Value, Value]] | None = None
    flow: Entry | None = None
    subscription: Entry | None = None
    calling: Mapping[str, Stated[Any]] = field(default_factory=dict[str, Stated[Any]])

    def repeats(self, method: str) -> bool:
        """Whether it says that a call of the method can be made again with no other effect."""
        return self.idempotent if isinstance(self.idempotent, bool) else method in self.idempotent

    @property
    def handed(self) -> Mapping[str, Stated[Any]]:
        """Its parameters that are handed components, whether one or several."""
        return {**self.needs, **self.gathers}

    @property
    def is_builtin(self) -> bool:
        return self.source == builtins.SOURCE

    @property
    def is_provided(self) -> bool:
        """Whether the application hands the instance in."""
        return self.factory == PROVIDED[1]

    @property
    def is_declared(self) -> bool:
        """Whether it is a workflow that the settings, or a manifest, declare."""
        return self.factory == DECLARED[1]

    @property
    def is_own(self) -> bool:
        """Whether the project itself declares it, in settings or in one of its packages."""
        return self.source == "settings" or self.source.startswith("package:")


Candidates: TypeAlias = Mapping[Key, tuple[Candidate, ...]]


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every candidate in registration order, by scope: of all, then what profiles and tenants add. Of the layers those
    that are declared for a key, and the `common` ones by name, which fit every key. And the versions of the plugins and
    of other installed distributions that factories were read from."""

    base: Candidates
    profiles: Mapping[str, Candidates]
    tenants: Mapping[str, Candidates]
    layers: Candidates
    common: Mapping[str, Candidate]
    plugins: Mapping[str, str]
    distributions: Mapping[str, str] = field(default_factory=dict[str, str])
    manifests: tuple[Evidence, ...] = ()
    incomplete: bool = False

    def layer(self, key: Key, name: str) -> Candidate | None:
        """The layer of that name which fits the key: one that is declared for it, or a common one; of a manifest where
        there is no other."""
        named = [each for each in self.layers.get(key, ()) if each.provider == name and not each.barred]
        own = next((each for each in named if each.trust is None), None)
        if own is None and name in self.common:
            return replace(self.common[name], key=key)
        return own or next(iter(named), None)


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that the pure stages work on: the settings, the candidates, and the sources that those were read from."""

    settings: Settings
    catalog: Catalog
    sources: Sources

    @property
    def incomplete(self) -> bool:
        """Whether candidates may be missing, since something that may declare one could not be read."""
        return self.settings.incomplete or self.catalog.incomplete


@dataclass(frozen=True, slots=True)
class Explicit:
    """An explicit choice of a provider, by the tier it is made at."""

    tier: ByChoice
    provider: str
    place: Place

    @property
    def rule(self) -> Rule:
        return self.tier.rule


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
    """A parameter's value: as stated, where, and as the expression that is evaluated at activation.

    `unchecked` are the paths in it to what no type was read for; the empty one is all of it.
    """

    stated: Stated[Value]
    expr: Mapping[str, Any]
    secrets: frozenset[str]
    reads: bool
    unchecked: tuple[tuple[str | int, ...], ...]


@dataclass(frozen=True, slots=True)
class Gathering:
    """Several keys that a parameter is handed, in this order, as a list, a tuple, or a dict by their names; as they are
    `stated`, and for a pattern in the `order` that the settings state, if they do."""

    stated: str | tuple[str, ...]
    members: tuple[Key, ...]
    form: str
    order: Stated[tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """A decision made concrete. `options` are those that the settings state for the key, by name; `standby` what the
    settings state of its other candidates, by order; `layers` what wraps it, outermost first, as
    stated at `layers_at`. One that is `unbound` is there for its type alone. `overlay` is what a tenant has other of
    a workflow."""

    decision: Decision
    port: str | None
    settings: Mapping[str, Setting]
    needs: Mapping[str, Key]
    options: Mapping[str, Stated[Any]] = field(default_factory=dict[str, Stated[Any]])
    standby: Mapping[int, Mapping[str, Setting]] = field(default_factory=dict[int, Mapping[str, Setting]])
    rebuilt_for: tuple[Key, ...] = ()
    gathers: Mapping[str, Gathering] = field(default_factory=dict[str, Gathering])
    layers: tuple[Layer, ...] = ()
    layers_at: Place | None = None
    unbound: Stated[str] | None = None
    overlay: Entry | None = None

    @property
    def activation(self) -> dict[str, Any]:
        """The options of the key that are not the default, stated in settings or declared by the winner."""
        stated = {name: each.value for name, each in self.options.items()}
        found = {option.name: option.of(self.decision.winner, stated) for option in KEY_OPTIONS}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(sorted({name for setting in self.settings.values() for name in setting.secrets}))

    @property
    def edges(self) -> set[Key]:
        """The keys that it and its layers need, the secrets component included."""
        own = {*self._handed(()), *((SECRETS,) if self.secrets else ())}
        return own.union(*(layer.bound.edges for layer in self.layers))

    @property
    def awaited(self) -> set[Key]:
        """The keys that are active before it and its layers are: what they are handed, but lazily."""
        own = {*self._handed(self.decision.winner.lazy)}
        return own.union(*(layer.bound.awaited for layer in self.layers))

    def _handed(self, but: tuple[str, ...]) -> Iterator[Key]:
        yield from (key for name, key in self.needs.items() if name not in but and key != RUNTIME)
        yield from (key for name, each in self.gathers.items() if name not in but for key in each.members)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer around what serves a key, where the settings place it; the key of its own is `key/NAME[:LABEL]`."""

    placed: Place
    bound: Bound

    @property
    def key(self) -> Key:
        return self.bound.decision.key


@dataclass(frozen=True, slots=True)
class Linked:
    """One profile, linked: its bindings, for each tenant those of its own, what the profile unbinds, and its
    aliases, each with the key that it is."""

    bindings: Mapping[Key, Bound]
    tenants: Mapping[str, Mapping[Key, Bound]]
    unbound: Mapping[Key, Stated[str]] = field(default_factory=dict[Key, Stated[str]])
    aliases: Mapping[Key, tuple[Key, Stated[str]]] = field(default_factory=dict[Key, tuple[Key, Stated[str]]])


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a compile makes: for each profile its folder, relative to the project, and its files by name."""

    root: Path
    profiles: dict[str, tuple[str, dict[str, bytes]]]

    def moved(self, out: Path) -> Outputs:
        """The same files under another folder than the project's own output."""
        profiles = {name: ("." if name == "default" else name, files) for name, (_, files) in self.profiles.items()}
        return Outputs(out.resolve(), profiles)


SECRETS = Key(*secret.SECRETS.split(":"))
RUNTIME = Key("oneiric", "runtime")
"""The application itself, which a component may need; no slot, in no cycle, and always there."""
