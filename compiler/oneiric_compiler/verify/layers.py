"""The layers of a report: as bindings of their own, and whether they stand where the settings can have put them."""

from __future__ import annotations

from collections.abc import Iterator

from oneiric_compiler.verify.decisions import Facts
from oneiric_compiler.verify.places import places, unread


def promised(binding: Facts) -> str | None:
    """What the users of a key, or of a layer of it, rely on."""
    found: str | None = binding.get("promised") or binding.get("port") or binding.get("result")
    return found


def stack(key: str, binding: Facts) -> dict[str, Facts]:
    """A key's binding, and those of its layers by theirs, each with the key of what it wraps."""
    layers: Facts = binding.get("layers", {})
    found: dict[str, Facts] = {key: binding}
    for name, inner in zip(layers, [*layers, key][1:], strict=False):
        layer = layers[name]
        because = f"{layer['placed_at'].partition('#')[0]} puts it around {key}"
        found[name] = {**layer, "promised": promised(binding), "inner": inner, "because": because}
    return found


def layers(report: Facts) -> Iterator[str]:
    """Where a layer is called by another name than its own, or stands where no settings put it."""
    for key, binding in report["bindings"].items():
        yield from (f"{key}: {finding}" for finding in _layers(report, key, None, binding))
        for tenant, own in binding["tenants"].items():
            yield from (f"{key} of tenant {tenant}: {finding}" for finding in _layers(report, key, tenant, own))


def _layers(report: Facts, key: str, tenant: str | None, binding: Facts) -> Iterator[str]:
    lists = {binding["layers_from"]} if "layers_from" in binding else set[str]()
    for index, (name, layer) in enumerate(binding.get("layers", {}).items()):
        owner, _, text = name.partition("/")
        if owner != key or text.partition(":")[0] != layer["provider"]:
            yield f"the layer {name} is called {layer['provider']}"
        place, _, number = layer["placed_at"].rpartition("/")
        lists.add(place)
        if number != str(index):
            yield f"the layer {name} cannot be placed at {layer['placed_at']}"
    if len(lists) > 1:
        yield f"its layers are of several lists: {', '.join(sorted(lists))}"
    for place in lists:
        if place not in places(report, key, "layers", tenant):
            yield f"its layers cannot be stated at {place}"
        yield from unread(report, place)
