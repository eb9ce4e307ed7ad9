"""The order of a workflow's nodes: who has to wait for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter


def cycle(after: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Nodes that wait for each other, in a circle that ends where it began; none where there is no circle."""
    try:
        TopologicalSorter(_known(after)).prepare()
    except CycleError as error:
        return tuple(reversed(error.args[1]))
    return ()


def levels(after: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """The nodes by how long the longest way to them is, each level as declared. Without circles."""
    depths: dict[str, int] = {}
    for name in TopologicalSorter(_known(after)).static_order():
        depths[name] = max((depths[each] + 1 for each in after[name] if each in after), default=0)
    found: list[list[str]] = [[] for _ in range(max(depths.values(), default=-1) + 1)]
    for name in after:
        found[depths[name]].append(name)
    return tuple(tuple(level) for level in found)


def _known(after: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {name: [each for each in names if each in after] for name, names in after.items()}
