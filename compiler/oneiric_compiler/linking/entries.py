"""What the levels of a scope declare together besides components, and the keys that this wants bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from oneiric_compiler.linking.scope import NOTHING, Scope
from oneiric_compiler.model import Decision, Entry, Key, Stated
from oneiric_compiler.tables.entries import KINDS, SINGLE

ENGINE = Key("adapter", "engine")
"""What keeps and runs all that is durable."""


def stated(scope: Scope, kind: str) -> dict[str, Entry]:
    """The entries of a kind by name: each field as the most specific level states it, less those that are disabled."""
    found: dict[str, Entry] = {}
    for level in scope.levels.values():
        section = level.get(KINDS[kind], NOTHING)
        for name in section.disable:
            found.pop(name, None)
        for name, entry in section.entries.get(kind, {}).items():
            found[name] = merged(found[name], entry) if name in found else entry
    return found


def merged(below: Entry, above: Entry) -> Entry:
    """Both as one, field by field, and their parts likewise."""
    parts = {
        name: merged(below.parts[name], above.parts[name])
        if name in below.parts and name in above.parts
        else above.parts.get(name) or below.parts[name]
        for name in (*below.parts, *(each for each in above.parts if each not in below.parts))
    }
    return Entry(below.place, {**below.fields, **above.fields}, parts)


def single(scope: Scope, name: str) -> Stated[Any] | None:
    """What is stated once, by the most specific level that does."""
    found = [level.get(SINGLE[name], NOTHING).single.get(name) for level in scope.levels.values()]
    return next((each for each in reversed(found) if each), None)


def called(call: str) -> Key:
    """The key of `DOMAIN:KEY` or `DOMAIN:KEY#method`."""
    return Key(*call.partition("#")[0].split(":", 1))


def served(scope: Scope, decisions: Mapping[Key, Any]) -> dict[str, Entry]:
    """The workflows of the settings that serve their keys."""
    return {
        name: entry
        for name, entry in stated(scope, "workflows").items()
        if isinstance(decision := decisions.get(Key("workflow", name)), Decision) and decision.winner.is_declared
    }


def wanted(scope: Scope, decisions: Mapping[Key, Any]) -> Iterator[Key]:
    """The keys that all this calls, or needs to be carried out."""
    durable = False
    for entry in served(scope, decisions).values():
        durable = True
        yield from (called(node.fields["call"].value) for node in entry.parts.values() if "call" in node.fields)
    for entry in stated(scope, "schedules").values():
        durable = True
        yield from (called(each.value) for name, each in entry.fields.items() if name == "call")
    for name, entry in stated(scope, "subscriptions").items():
        starts = entry.fields.get("starts")
        durable = durable or ("delivery" in entry.fields and entry.fields["delivery"].value == "durable")
        yield called(starts.value) if starts else Key("event", name)
    for name in SINGLE:
        each = single(scope, name)
        keys = _keys(each.value) if each else []
        durable = durable or bool(keys)
        yield from (called(key) for key in keys)
    if durable:
        yield ENGINE


def _keys(value: Any) -> list[str]:
    """The keys in what is stated once: a key, several, or by topic."""
    if isinstance(value, str):
        return [value]
    return [*cast("dict[str, str]", value).values()] if isinstance(value, dict) else [*value]
