"""What a profile declares besides components, compared entry by entry: workflows, topics, subscriptions, schedules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from oneiric.report import Json, Report

Kind: TypeAlias = Literal["workflow", "topic", "subscription", "schedule", "queue"]
_KINDS: Mapping[str, Kind] = {
    "workflows": "workflow",
    "topics": "topic",
    "subscriptions": "subscription",
    "schedules": "schedule",
    "queues": "queue",
    "exports": "topic",
    "imports": "topic",
}
_DERIVED = frozenset(("from", "reads", "levels", "nodes", "tenants"))
"""What follows from other facts, says only where they stand, or is compared part by part."""


class Change(NamedTuple):
    """`what` of an entry, or of a tenant's, was `old` and is `new`; None on one side is told by `how`."""

    kind: Kind
    name: str
    tenant: str | None
    what: str
    old: Json
    new: Json
    how: Literal["added", "removed", "changed"]
    at: str


def declared(old: Report, new: Report) -> Iterator[Change]:
    """All that differs, by kind and name."""
    for section, kind in _KINDS.items():
        before, after = (_mapping(each.raw.get(section)) for each in (old, new))
        for name in sorted({*before, *after}):
            shown = f"workflow:{name}" if kind == "workflow" else name
            yield from _entry(kind, shown, _SECTIONS.get(section, kind), before.get(name), after.get(name))
    for name in ("outbox", "broadcast"):
        yield from _fields("topic", name, None, "", *(_mapping(each.raw.get(name)) for each in (old, new)))


_SECTIONS = {"exports": "export", "imports": "import"}


def _entry(kind: Kind, name: str, what: str, old: Any, new: Any) -> Iterator[Change]:
    if old is None or new is None:
        sides = _summary(old), _summary(new)
        how: Literal["added", "removed"] = "added" if old is None else "removed"
        yield Change(kind, name, None, what, *sides, how, _mapping(new or old).get("from", ""))
        return
    yield from _fields(kind, name, None, "", old, new)
    before, after = (_mapping(each.get("nodes")) for each in (old, new))
    if [each for each in before if each in after] != [each for each in after if each in before]:
        yield Change(kind, name, None, "order of nodes", [*before], [*after], "changed", new["from"])
    for node in sorted({*before, *after}):
        one, other = before.get(node), after.get(node)
        if one is None or other is None:
            given: Literal["added", "removed"] = "added" if one is None else "removed"
            yield Change(
                kind,
                name,
                None,
                f"node {node}",
                _summary(one),
                _summary(other),
                given,
                _mapping(other or one).get("from", ""),
            )
        else:
            yield from _fields(kind, name, None, f"{node}: ", one, other)
    tenants = [_mapping(each.get("tenants")) for each in (old, new)]
    for tenant in sorted({*tenants[0], *tenants[1]}):
        theirs = [_mapping(each.get(tenant)) for each in tenants]
        yield from _fields(kind, name, tenant, "", theirs[0], theirs[1])
        before, after = (_mapping(each.get("nodes")) for each in theirs)
        for node in sorted({*before, *after}):
            yield from _fields(kind, name, tenant, f"{node}: ", _mapping(before.get(node)), _mapping(after.get(node)))


def _fields(
    kind: Kind, name: str, tenant: str | None, before: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Change]:
    for field in sorted({*old, *new} - _DERIVED):
        if old.get(field) != new.get(field) or (field in old) != (field in new):
            how: Literal["added", "removed", "changed"] = (
                "changed" if field in old and field in new else "added" if field in new else "removed"
            )
            at = new.get("from") or old.get("from") or ""
            yield Change(kind, name, tenant, f"{before}{field}", old.get(field), new.get(field), how, at)


def _summary(entry: Any) -> Json:
    """An entry in one value: what it calls, handles, starts or limits."""
    if entry is None:
        return None
    facts = {name: each for name, each in _mapping(entry).items() if name not in _DERIVED}
    nodes = _mapping(_mapping(entry).get("nodes"))
    return {**facts, "nodes": {name: each["call"] for name, each in nodes.items()}} if nodes else facts or True


def _mapping(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
