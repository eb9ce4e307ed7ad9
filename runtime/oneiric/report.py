"""Reading an explain report: what was decided for every key, and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

from oneiric.errors import OneiricError
from oneiric.secret import SECRETS

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
T = TypeVar("T")

FAMILY, MAJOR = "oneiric.explain", 1
_MISSING = object()


class ReportError(OneiricError):
    """The file is not an explain report of a format this release reads; the text says why, and `help` what to do."""

    help: str | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """One change to a project's files: at a place, to a value; without `given` the value is the reader's to state."""

    at: str
    given: bool
    value: Json


@dataclass(frozen=True, slots=True)
class Evidence:
    """The manifest that a candidate is from: its bytes' SHA-256, its version if it has one, the keys that signed it."""

    source: str
    version: int | None
    digest: str
    keys: tuple[str, ...]
    expires_at: str | None


@dataclass(frozen=True, slots=True)
class Setting:
    """One argument of a factory: a literal `value`, else the `reference` it is read from, else `masked`.

    `unchecked` where no type was read for it, or for what is in it at `unchecked_at`, as JSON pointers. `from_at` is,
    by JSON pointer, where parts of the value are stated that `stated_at` does not state.
    """

    value: Json
    reference: Json
    masked: bool
    stated_at: str
    unchecked: bool
    unchecked_at: tuple[str, ...]
    from_at: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One implementation that could serve a key, and how it fared.

    One of a manifest has its `trust`, and in `held` what it stated above its source's ceiling. `settings` are what one
    that does not serve the key would be made with.
    """

    provider: str
    factory: str
    source: str
    declared_at: str
    priority: int
    priority_from: str
    stack_level: int
    order: int
    capabilities: tuple[str, ...]
    won: bool
    lost_by: str | None
    excluded_by: str | None
    compared: tuple[Json, Json] | None
    wins_if: tuple[tuple[Edit, ...], ...] | None
    trust: Evidence | None
    held: Mapping[str, Json]
    settings: Mapping[str, Setting]
    raw: Mapping[str, Json] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stated:
    """What settings state of how a key is activated, whatever serves it."""

    value: Json
    stated_at: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """The keys handed to a parameter that takes several: as listed, or what a `pattern` matches, in an order that the
    settings may state."""

    members: tuple[str, ...]
    pattern: str | None
    ordered_at: str | None


@dataclass(frozen=True, slots=True)
class Layer:
    """What wraps the instance of a key, where the settings place it."""

    provider: str
    factory: str
    placed_at: str
    source: str
    declared_at: str
    settings: Mapping[str, Setting]
    needs: Mapping[str, str]
    gathers: Mapping[str, Gathered]
    lazy: tuple[str, ...]
    secrets: tuple[str, ...]
    trust: Evidence | None
    raw: Mapping[str, Json] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Served:
    """What serves one key, in the base or for a tenant; `shared` when a tenant uses the base's instance.

    `needs` are the keys handed to its parameters, `gathers` those of parameters that take several, `lazy` the
    parameters whose components are activated by their first call, `optional` those whose components may be lacking.
    `layers` wrap the instance, outermost first, by their keys (`domain:key/layer`); `layers_at` states them, or that
    there are none.
    """

    provider: str
    factory: str
    port: str | None
    decided_by: str
    decided_at: str
    because: str
    candidates: tuple[Candidate, ...]
    settings: Mapping[str, Setting]
    options: Mapping[str, Stated]
    needs: Mapping[str, str]
    gathers: Mapping[str, Gathered]
    optional: tuple[str, ...]
    lazy: tuple[str, ...]
    secrets: tuple[str, ...]
    layers: Mapping[str, Layer]
    layers_at: str | None
    rebuilt_for: tuple[str, ...]
    shared: bool
    tenants: Mapping[str, Served]
    raw: Mapping[str, Json] = field(repr=False)

    @property
    def wants(self) -> list[object]:
        """All that it and its layers need."""
        parts: list[Served | Layer] = [self, *self.layers.values()]
        return [(each.needs, each.gathers, each.secrets) for each in parts]

    @property
    def unbound(self) -> bool:
        """Whether the key is taken away, and here for its type alone."""
        return self.raw.get("unbound") is True

    @property
    def unbound_at(self) -> str:
        """What takes the key away."""
        return str(self.raw.get("unbound_at", ""))

    def judged(self) -> tuple[list[Candidate], list[Candidate]]:
        """The candidates that lost, and those that were filtered out."""
        lost = [each for each in self.candidates if each.lost_by is not None]
        return lost, [each for each in self.candidates if each.excluded_by is not None]


@dataclass(frozen=True, slots=True)
class Alias:
    """The key that another one is, and the place that states it."""

    target: str
    stated_at: str


@dataclass(frozen=True, slots=True)
class Report:
    """One profile's report; `bindings` by full key (`adapter:cache`), in the file's order, as `tenant` gets them.

    Each binding is read when it is asked for, which raises ReportError where the file has another shape.
    """

    app: str
    profile: str
    bindings: Mapping[str, Served]
    raw: Mapping[str, Json] = field(repr=False)
    tenant: str | None = None

    @property
    def roles(self) -> dict[str, tuple[str, ...]]:
        """The keys and patterns that each role names."""
        roles = _Facts(self.raw, "the report").facts("roles", {})
        return {name: roles.texts(name) for name in roles.values}

    @property
    def unbound(self) -> dict[str, str]:
        """The keys that the profile takes away, with the place that states it."""
        return _Facts(self.raw, "the report").text_map("unbound")

    @property
    def aliases(self) -> dict[str, Alias]:
        """The keys that are others, and what each is."""
        aliases = _Facts(self.raw, "the report").facts("aliases", {})
        found = {key: aliases.facts(key) for key in aliases.values}
        return {key: Alias(each.of(str, "target"), each.of(str, "from")) for key, each in found.items()}

    def needs(self, key: str) -> dict[str, list[str]]:
        """The keys that `key` needs, each with what for: parameters, and secrets of the secrets component."""
        facts = self._facts(key)
        needed: dict[str, list[str]] = {}
        for need, told in _needed(facts):
            needed.setdefault(need, []).append(told)
        layers = facts.facts("layers", {})
        for name in layers.values:
            for need, told in _needed(layers.facts(name)):
                needed.setdefault(need, []).append(f"{told} of the layer {name.partition('/')[2]}")
        return needed

    def users(self) -> dict[str, dict[str, list[str]]]:
        """For each key that is needed the keys that need it, each with what for, as in `needs`."""
        users: dict[str, dict[str, list[str]]] = {}
        for user in self.bindings:
            for need, told in self.needs(user).items():
                users.setdefault(need, {})[user] = told
        return users

    def for_tenant(self, tenant: str) -> Report:
        """The report as a tenant gets it: its own bindings, and those of the base that it shares."""
        bindings = _Bindings(self.bindings, lambda key: _as_tenant(self.bindings[key], tenant))
        return replace(self, bindings=bindings, tenant=tenant)

    def _facts(self, key: str) -> _Facts:
        """What the report says of a key, to this tenant; nothing of a key that it does not have."""
        named = f"{key} of the report"
        facts = _Facts(_Facts(self.raw.get("bindings", {}), "bindings").values.get(key, {}), named)
        tenants = facts.facts("tenants", {}) if self.tenant else None
        return tenants.facts(self.tenant) if tenants and self.tenant in tenants.values else facts


def read_report(path: Path, *, strict: bool = False) -> Report:
    """The report in a file, as `parse_report` reads it. Raises ReportError, also when the file cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror}") from error
    return parse_report(data, str(path), strict=strict)


def parse_report(data: bytes, named: str = "the report", *, strict: bool = False) -> Report:
    """The report in a text, `named` in errors; fields this release does not know are ignored. Raises ReportError.

    With `strict` it may name nothing twice: of two facts of one name readers see the one or the other.
    """
    try:
        document = json.loads(data, object_pairs_hook=_once if strict else None, parse_constant=_no_number)
    except ReportError as error:
        raise ReportError(f"{named} {error}") from error
    except (ValueError, RecursionError) as error:
        refused = ReportError(f"{named} {_unreadable(data, error)}")
        refused.help = "a report is what `oneiric compile` writes: compile again"
        raise refused from error
    facts = _Facts(document, named)
    _check_format(facts.of(str, "format"), named)
    bindings = facts.facts("bindings")
    return Report(
        app=facts.of(str, "app"),
        profile=facts.of(str, "profile"),
        bindings=_Bindings(bindings.values, lambda key: _binding(bindings.facts(key))),
        raw=facts.values,
    )


def flow_of(facts: Mapping[str, Any], tenant: str | None) -> dict[str, Any]:
    """The facts of a workflow as the base, or a tenant, has it."""
    common = {name: each for name, each in facts.items() if name != "tenants"}
    own = facts.get("tenants", {}).get(tenant)
    if own is None:
        return common
    levels = own.get("levels", facts["levels"])
    nodes = {name: {**facts["nodes"][name], **own["nodes"].get(name, {})} for level in levels for name in level}
    return {**common, "levels": levels, "nodes": nodes}


def _unreadable(data: bytes, error: Exception) -> str:
    """Why a text is no JSON document."""
    if b"\n<<<<<<< " in data or data.startswith(b"<<<<<<< "):
        return "holds a merge conflict"
    if not isinstance(error, json.JSONDecodeError):
        return "is not JSON"
    if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string"):
        return f"ends in the middle, in line {error.lineno}" if error.doc.strip() else "is empty"
    return f"is not JSON: line {error.lineno}, column {error.colno}"


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    facts = dict(pairs)
    if len(facts) != len(pairs):
        names = [name for name, _ in pairs]
        raise ReportError(f"says {next(each for each in names if names.count(each) > 1)!r} twice")
    return facts


def _no_number(text: str) -> Json:
    raise ReportError(f"holds {text}, which is not a number")


def _check_format(text: str, named: str) -> None:
    family, _, version = text.partition("/")
    major = version.partition(".")[0]
    if family != FAMILY or not major.isdecimal():
        raise ReportError(f"{named}: format {text!r} is not an explain report")
    if int(major) != MAJOR:
        raise ReportError(f"{named}: format {text!r} is of another release; this one reads {FAMILY}/{MAJOR}")


class _Bindings(Mapping[str, Served]):
    """Bindings by key, each read on first use: a question about one of thousands waits for that one."""

    def __init__(self, keys: Iterable[str], read: Callable[[str], Served]) -> None:
        self._known: dict[str, Served | None] = dict.fromkeys(keys)
        self._read = read

    def __getitem__(self, key: str) -> Served:
        binding = self._known[key]
        if binding is None:
            binding = self._known[key] = self._read(key)
        return binding

    def __contains__(self, key: object) -> bool:
        return key in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class _Facts:
    """A JSON object whose members are asked for by type."""

    def __init__(self, value: object, name: str) -> None:
        if not isinstance(value, dict):
            raise ReportError(f"{name} is not a JSON object")
        self.values = cast("dict[str, Json]", value)
        self.name = name

    def of(self, kind: type[T], name: str, default: T | object = _MISSING) -> T:
        value = self.values.get(name, default)
        if value is _MISSING:
            raise ReportError(f"{self.name} has no {name!r}")
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        raise ReportError(f"{self.name}: {name!r} is not of type {kind.__name__}")

    def text_or_none(self, name: str) -> str | None:
        return None if self.values.get(name) is None else self.of(str, name)

    def texts(self, name: str) -> tuple[str, ...]:
        items = self.items(name)
        if not all(isinstance(item, str) for item in items):
            raise ReportError(f"{self.name}: {name!r} is not a list of texts")
        return tuple(cast("list[str]", items))

    def items(self, name: str) -> list[object]:
        return cast("list[object]", self.of(list, name, []))

    def facts(self, name: str, default: object = _MISSING) -> _Facts:
        return _Facts(cast("object", self.of(dict, name, default)), f"{name} of {self.name}")

    def text_map(self, name: str) -> dict[str, str]:
        inner = self.facts(name, {})
        return {key: inner.of(str, key) for key in inner.values}


def _needed(facts: _Facts) -> Iterator[tuple[str, str]]:
    """The keys that a component, or a layer, needs, each with what for."""
    if not any(facts.values.get(name) for name in ("needs", "gathers", "secrets")):
        return
    lazy = facts.texts("lazy")
    handed: dict[str, tuple[str, ...]] = {name: (key,) for name, key in facts.text_map("needs").items()}
    handed |= {name: each.members for name, each in _gathers(facts).items()}
    for parameter, keys in handed.items():
        for need in keys:
            yield need, f"{parameter} (lazily)" if parameter in lazy else parameter
    for secret in facts.texts("secrets"):
        yield SECRETS, f"the secret {secret}"


def _layer(facts: _Facts) -> Layer:
    settings = facts.facts("settings", {})
    return Layer(
        provider=facts.of(str, "provider"),
        factory=facts.of(str, "factory"),
        placed_at=facts.of(str, "placed_at"),
        source=facts.of(str, "source"),
        declared_at=facts.of(str, "declared_at"),
        settings={name: _setting(settings.facts(name)) for name in settings.values},
        needs=facts.text_map("needs"),
        gathers=_gathers(facts),
        lazy=facts.texts("lazy"),
        secrets=facts.texts("secrets"),
        trust=_trust(facts.facts("trust")) if "trust" in facts.values else None,
        raw=facts.values,
    )


def _gathers(facts: _Facts) -> dict[str, Gathered]:
    gathers = facts.facts("gathers", {})
    return {name: _gathered(gathers.facts(name)) for name in gathers.values}


def _gathered(facts: _Facts) -> Gathered:
    pattern = facts.values.get("from")
    return Gathered(
        facts.texts("members"), pattern if isinstance(pattern, str) else None, facts.text_or_none("ordered_by")
    )


def _binding(facts: _Facts, base: Served | None = None) -> Served:
    tenants = facts.facts("tenants", {})
    settings, options = facts.facts("settings", {}), facts.facts("options", {})
    layers = facts.facts("layers", {})
    binding = Served(
        provider=facts.of(str, "provider"),
        factory=facts.of(str, "factory", base.factory if base else _MISSING),
        port=facts.text_or_none("port") or (base.port if base else None),
        decided_by=facts.of(str, "decided_by"),
        decided_at=facts.of(str, "decided_at"),
        because=facts.of(str, "because", "" if base else _MISSING),
        candidates=_candidates(facts, base),
        settings={name: _setting(settings.facts(name)) for name in settings.values},
        options={name: _stated(options.facts(name)) for name in options.values},
        needs=facts.text_map("needs"),
        gathers=_gathers(facts),
        optional=tuple(facts.facts("optional", {}).values),
        lazy=facts.texts("lazy"),
        secrets=facts.texts("secrets"),
        layers={name: _layer(layers.facts(name)) for name in layers.values},
        layers_at=facts.text_or_none("layers_from"),
        rebuilt_for=facts.texts("rebuilt_for"),
        shared=facts.of(bool, "shared", False),
        tenants={},
        raw=facts.values,
    )
    return replace(binding, tenants={name: _binding(tenants.facts(name), binding) for name in tenants.values})


def _as_tenant(base: Served, tenant: str) -> Served:
    common = {name: fact for name, fact in base.raw.items() if name != "tenants"}
    own = base.tenants.get(tenant)
    if own is None:
        return replace(base, shared=True, tenants={}, raw={**common, "shared": True})
    whole = "fingerprint" in own.raw  # what it does not say then does not hold for it
    return replace(own, raw={**({"candidates": common.get("candidates", [])} if whole else common), **own.raw})


def _candidates(facts: _Facts, base: Served | None) -> tuple[Candidate, ...]:
    if base and "candidates" not in facts.values and base.provider == facts.values.get("provider"):
        return base.candidates
    return tuple(_candidate(_Facts(each, f"a candidate of {facts.name}")) for each in facts.items("candidates"))


def _candidate(facts: _Facts) -> Candidate:
    compared, settings = cast("list[Json]", facts.items("compared")), facts.facts("settings", {})
    return Candidate(
        provider=facts.of(str, "provider"),
        factory=facts.of(str, "factory"),
        source=facts.of(str, "source"),
        declared_at=facts.of(str, "declared_at"),
        priority=facts.of(int, "priority"),
        priority_from=facts.of(str, "priority_from"),
        stack_level=facts.of(int, "stack_level"),
        order=facts.of(int, "order"),
        capabilities=facts.texts("capabilities"),
        won=facts.of(bool, "won", False),
        lost_by=facts.text_or_none("lost_by"),
        excluded_by=facts.text_or_none("excluded_by"),
        compared=(compared[0], compared[1]) if len(compared) == 2 else None,
        wins_if=_alternatives(facts) if "wins_if" in facts.values else None,
        trust=_trust(facts.facts("trust")) if "trust" in facts.values else None,
        held=facts.facts("held", {}).values,
        settings={name: _setting(settings.facts(name)) for name in settings.values},
        raw=facts.values,
    )


def _trust(facts: _Facts) -> Evidence:
    return Evidence(
        source=facts.of(str, "source"),
        version=facts.of(int, "version") if "version" in facts.values else None,
        digest=facts.of(str, "digest"),
        keys=facts.texts("keys"),
        expires_at=facts.text_or_none("expires_at"),
    )


def _alternatives(facts: _Facts) -> tuple[tuple[Edit, ...], ...]:
    found: list[tuple[Edit, ...]] = []
    for alternative in facts.items("wins_if"):
        if not isinstance(alternative, list):
            raise ReportError(f"{facts.name}: an alternative of 'wins_if' is not a list")
        edits = [_Facts(each, f"an edit of {facts.name}") for each in cast("list[object]", alternative)]
        found.append(tuple(Edit(each.of(str, "at"), "set" in each.values, each.values.get("set")) for each in edits))
    return tuple(found)


def _stated(facts: _Facts) -> Stated:
    return Stated(facts.values.get("value"), facts.of(str, "from"))


def _setting(facts: _Facts) -> Setting:
    return Setting(
        value=facts.values.get("value"),
        reference=facts.values.get("ref"),
        masked="masked" in facts.values,
        stated_at=facts.of(str, "from"),
        unchecked=facts.of(bool, "unchecked", False),
        unchecked_at=facts.texts("unchecked_at"),
        from_at=facts.text_map("from_at"),
    )
