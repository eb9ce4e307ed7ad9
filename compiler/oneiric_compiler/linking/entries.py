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
    """The workflows of settings and manifests that serve their keys."""
    found: dict[str, Entry] = {}
    of_settings = stated(scope, "workflows")
    for key, decision in decisions.items():
        if key.domain == "workflow" and isinstance(decision, Decision) and decision.winner.is_declared:
            entry = decision.winner.flow or of_settings.get(key.name)
            found |= {key.name: entry} if entry else {}
    return found


def subscriptions(scope: Scope, decisions: Mapping[Key, Any]) -> dict[str, Entry]:
    """The subscriptions by name: those of the settings, on top of what the manifests of their handlers say."""
    found: dict[str, Entry] = {}
    for key, decision in decisions.items():
        if key.domain == "event" and isinstance(decision, Decision) and decision.winner.subscription:
            found[key.name] = decision.winner.subscription
    for level in scope.levels.values():
        for name in level.get("event", NOTHING).disable:
            found.pop(name, None)
    for name, entry in stated(scope, "subscriptions").items():
        found[name] = merged(found[name], entry) if name in found else entry
    return found


def overlaid(scope: Scope) -> Iterator[tuple[str, str, Entry | None]]:
    """What tenants state of subscriptions: tenant, name, and what differs; None where the tenant disables it."""
    for tenant, level in sorted(scope.settings.tenants.items()):
        section = level.get(KINDS["subscriptions"], NOTHING)
        entries = section.entries.get("subscriptions", {})
        yield from ((tenant, name, None) for name in section.disable if name not in entries)
        yield from ((tenant, name, entry) for name, entry in sorted(entries.items()))


def wanted(scope: Scope, decisions: Mapping[Key, Any]) -> Iterator[Key]:
    """The keys that all this calls, or needs to be carried out."""
    durable = False
    for entry in served(scope, decisions).values():
        durable = True
        yield from (called(node.fields["call"].value) for node in entry.parts.values() if "call" in node.fields)
    for entry in stated(scope, "schedules").values():
        durable = True
        yield from (called(each.value) for name, each in entry.fields.items() if name == "call")
    for name, entry in subscriptions(scope, decisions).items():
        starts = entry.fields.get("starts")
        durable = durable or _is_durable(entry)
        yield called(starts.value) if starts else Key("event", name)
    for _, _, differs in overlaid(scope):
        durable = durable or bool(differs and _is_durable(differs))
    for name in SINGLE:
        each = single(scope, name)
        keys = _keys(each.value) if each else []
        durable = durable or bool(keys)
        yield from (called(key) for key in keys)
    if durable:
        yield ENGINE


def _is_durable(subscription: Entry) -> bool:
    return "delivery" in subscription.fields and subscription.fields["delivery"].value == "durable"


def _keys(value: Any) -> list[str]:
    """The keys in what is stated once: a key, several, or by topic."""
    if isinstance(value, str):
        return [value]
    return [*cast("dict[str, str]", value).values()] if isinstance(value, dict) else [*value]
