"""Two reports to the changes between them, each of a class, those first that a reviewer must care about most.

Where something is declared may move, files and declarations may be reordered: only what they come to is compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias, get_args

from oneiric.report import Binding, Json, Report, Setting

Class: TypeAlias = Literal["winner", "trust", "port", "need", "setting", "rule", "candidate", "provenance"]
CLASSES: tuple[Class, ...] = get_args(Class)

_OPTIONS = ("eager", "async", "python", "os")
_RANKS = ("factory", "priority", "stack_level", "capabilities", "excluded_by")
"""What a candidate brings, besides its place in the order, which tells nothing by itself."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `what` of a key (of a tenant) was `old` and is `new`; None where there is none."""

    kind: Class
    key: str
    tenant: str | None
    what: str
    old: Json
    new: Json
    because: str = ""


def compare(old: Report, new: Report) -> list[Change]:
    """The changes by class, then key, then tenant (the base first)."""
    found = list(_inputs(old, new))
    before, after = (_mapping(each.raw.get("bindings")) for each in (old, new))
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            found += _key(key, old.bindings.get(key), new.bindings.get(key))
    return sorted(found, key=lambda each: (CLASSES.index(each.kind), each.key, each.tenant or "", each.what))


def without(changes: Iterable[Change], ignored: Iterable[str]) -> list[Change]:
    """The changes that no pattern names: `CLASS`, or `CLASS:KEY` with a key that may hold `*`."""
    patterns = [each.partition(":") for each in ignored]
    return [
        change
        for change in changes
        if not any(kind in ("*", change.kind) and fnmatchcase(change.key, key or "*") for kind, _, key in patterns)
    ]


def _key(key: str, old: Binding | None, new: Binding | None) -> Iterator[Change]:
    """The changes of the base, and those of tenants that are not the base's."""
    base = list(_binding(key, None, old, new))
    yield from base
    if old and new:
        told = {(each.kind, each.what, str(each.new)) for each in base}
        for tenant in sorted({*old.tenants, *new.tenants}):
            changes = _binding(key, tenant, old.tenants.get(tenant, old), new.tenants.get(tenant, new))
            yield from (each for each in changes if (each.kind, each.what, str(each.new)) not in told)


def _binding(key: str, tenant: str | None, old: Binding | None, new: Binding | None) -> Iterator[Change]:
    if old is None or new is None or (old.provider, old.factory) != (new.provider, new.factory):
        same = old is not None and new is not None and old.provider == new.provider
        names = [each if each is None else each.factory if same else each.provider for each in (old, new)]
        yield Change("winner", key, tenant, "", names[0], names[1], because=new.because if new else "")
        return
    artifacts = [{"artifact": each.raw.get("artifact")} for each in (old, new)]
    yield from _facts("trust", key, tenant, *artifacts)
    promised: list[dict[str, Json]] = [{"port": each.port, "instances": each.raw.get("result")} for each in (old, new)]
    yield from _facts("port", key, tenant, *promised)
    yield from _facts("need", key, tenant, old.needs, new.needs)
    options = [{name: each.raw.get(name) for name in _OPTIONS} for each in (old, new)]
    yield from _facts(
        "setting", key, tenant, *({**_settings(each), **own} for each, own in zip((old, new), options, strict=True))
    )
    yield from _converted(key, tenant, old, new)
    if old.decided_by != new.decided_by:
        yield Change("rule", key, tenant, "", old.decided_by, new.decided_by, because=new.because)
    elif old.decided_at != new.decided_at:
        yield Change("provenance", key, tenant, "decided at", old.decided_at, new.decided_at, because=new.because)
    yield from _facts("provenance", key, tenant, *(_places(each, old, new) for each in (old, new)))
    if tenant is None:
        yield from _candidates(key, old, new)


def _facts(
    kind: Class, key: str, tenant: str | None, old: Mapping[str, Json], new: Mapping[str, Json]
) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        if (name in old) != (name in new) or not _equal(old.get(name), new.get(name)):
            yield Change(kind, key, tenant, name, old.get(name), new.get(name))


def _equal(one: Json, other: Json) -> bool:
    """Whether two values are one; Python takes 1, 1.0 and true for equal."""
    return one == other and (isinstance(one, str) or _written(one) == _written(other))


_written = json.JSONEncoder(sort_keys=True).encode


def _settings(binding: Binding) -> dict[str, Json]:
    return {name: _value(each) for name, each in binding.settings.items()}


def _value(setting: Setting) -> Json:
    if setting.masked:
        return "****"
    return setting.value if setting.reference is None else setting.reference


def _converted(key: str, tenant: str | None, old: Binding, new: Binding) -> Iterator[Change]:
    """Settings that are stated alike, and become something else: the parameter has another type."""
    for name in _alike(old, new):
        one, other = (_mapping(_mapping(each.raw.get("settings")).get(name)).get("expr") for each in (old, new))
        if one != other:
            stated = _value(new.settings[name])
            yield Change("setting", key, tenant, name, stated, stated, because="converted otherwise")


def _alike(old: Binding, new: Binding) -> list[str]:
    """The settings that both have, with one value."""
    others = _settings(new)
    return [name for name, each in _settings(old).items() if name in others and _equal(others[name], each)]


def _places(binding: Binding, old: Binding, new: Binding) -> dict[str, Json]:
    """Where the settings that both have, with one value, are stated."""
    return {f"{name} stated at": binding.settings[name].stated_at for name in _alike(old, new)}


def _candidates(key: str, old: Binding, new: Binding) -> Iterator[Change]:
    before, after = _by_identity(old), _by_identity(new)
    for identity in sorted({*before, *after}):
        name, one, other = identity[0], before.get(identity), after.get(identity)
        if one is None or other is None:
            yield Change("candidate", key, None, name, _ranks(one), _ranks(other))
            continue
        yield from _facts("trust", key, None, *({f"{name} trust": each["trust"]} for each in (one, other)))
        for fact in _RANKS:
            if one[fact] != other[fact]:
                yield Change("candidate", key, None, f"{name} {fact.replace('_', ' ')}", one[fact], other[fact])


def _ranks(candidate: Mapping[str, Any] | None) -> str | None:
    if candidate is None:
        return None
    return f"priority {candidate['priority']}, stack level {candidate['stack_level']}"


def _by_identity(binding: Binding) -> dict[tuple[str, str], dict[str, Any]]:
    """Candidates by provider and source, with what they bring."""
    raw: Any = binding.raw.get("candidates", ())
    return {(each["provider"], each["source"]): {name: each.get(name) for name in (*_RANKS, "trust")} for each in raw}


def _inputs(old: Report, new: Report) -> Iterator[Change]:
    """Manifests, plugins and the environment, under no key."""
    before, after = ({**_mapping(each.raw.get("inputs"))} for each in (old, new))
    kinds: dict[str, Class] = {"manifests": "trust", "plugins": "provenance", "environment": "provenance"}
    for name, kind in kinds.items():
        facts = [
            {f"{name} {item}": each for item, each in _mapping(side.get(name)).items()} for side in (before, after)
        ]
        yield from _facts(kind, "", None, *facts)


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
