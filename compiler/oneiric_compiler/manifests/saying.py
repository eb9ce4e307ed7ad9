"""What a manifest's entry says of workflows, events and calls, as entries of settings with their places."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from oneiric_compiler.diagnostics.found import Place
from oneiric_compiler.manifests.upstream import Said
from oneiric_compiler.model import Entry, Stated


class Saying(NamedTuple):
    """The workflow that an entry is, what its handler is told of, and the `retry` and `timeout` of its calls."""

    flow: Entry | None
    subscription: Entry | None
    calling: Mapping[str, Stated[Any]]


def saying(said: Said, place: Place, ceiling: int) -> Saying:
    """What was said in the entry at a place; no priority is higher than the ceiling of its source."""
    flow = subscription = None
    if said.workflow is not None:
        whole = {name: value for name, value in said.workflow.items() if name != "nodes"}
        at = _inner(place, "dag", "nodes")
        nodes = {name: _entry(node, _inner(at, name)) for name, node in said.workflow["nodes"].items()}
        flow = Entry(place, _entry(whole, place).fields, nodes)
    if said.subscription is not None:
        facts = dict(said.subscription)
        if "priority" in facts:
            facts["priority"] = min(facts["priority"], ceiling)
        subscription = _entry(facts, place)
    return Saying(flow, subscription, _entry(said.calling, place).fields)


def _entry(facts: Mapping[str, Any], place: Place) -> Entry:
    return Entry(place, {name: _stated(value, _inner(place, name)) for name, value in facts.items()})


def _stated(value: Any, place: Place) -> Stated[Any]:
    return Stated(value, place, None, partial(_inner, place))


def _inner(place: Place, *path: str | int, of_key: bool = False) -> Place:
    """A place in the document of another; its lines are not known, and so the key's are those of the value."""
    pointer = "/".join((place.pointer, *(str(each).replace("~", "~0").replace("/", "~1") for each in path)))
    return Place(pointer, place.span)
