"""Directed graphs as mappings from a node to the nodes it points at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import TypeVar

N = TypeVar("N")


def cycles(starts: Iterable[N], edges: Mapping[N, Set[N]]) -> Iterator[tuple[N, ...]]:
    """A cycle for each strand of needs that closes on itself, each starting with its least node."""
    done: set[N] = set()
    for start in starts:
        path: dict[N, None] = {}
        pending: list[tuple[N, bool]] = [(start, False)]
        while pending:
            node, leaving = pending.pop()
            if leaving:
                done.add(path.popitem()[0])
            elif node in path:
                nodes = list(path)
                cycle = nodes[nodes.index(node) :]
                least = cycle.index(min(cycle, key=str))
                yield (*cycle[least:], *cycle[:least])
            elif node not in done and node in edges:
                path[node] = None
                pending.append((node, True))
                pending.extend((each, False) for each in sorted(edges[node], key=str, reverse=True))


def closure(start: N, edges: Mapping[N, Set[N]]) -> set[N]:
    """The nodes reached from `start`, itself included, as far as they are in the graph."""
    found: set[N] = set()
    pending = [start]
    while pending:
        node = pending.pop()
        if node in edges and node not in found:
            found.add(node)
            pending.extend(edges[node])
    return found


def path_to(node: N, edges: Mapping[N, Set[N]]) -> list[N]:
    """A way down to `node` from one that nothing points at."""
    path = [node]
    above = reversed_edges(edges)
    while users := [each for each in above.get(path[0], ()) if each not in path]:
        path.insert(0, users[0])
    return path


def reversed_edges(edges: Mapping[N, Set[N]]) -> dict[N, list[N]]:
    """For each node those that point at it, sorted."""
    found: dict[N, list[N]] = {}
    for node in sorted(edges, key=str):
        for target in edges[node]:
            found.setdefault(target, []).append(node)
    return found
