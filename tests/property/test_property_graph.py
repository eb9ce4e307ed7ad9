"""Graphs against brute force: every walk tried."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from oneiric_compiler.linking.graph import closure, cycles, path_to, reversed_edges

Edges = dict[str, set[str]]
NODES = "abcdef"
graphs = st.dictionaries(st.sampled_from(NODES), st.sets(st.sampled_from(NODES), max_size=3))


def reached(start: str, edges: Edges) -> set[str]:
    """Every node at the end of a walk of one step or more."""
    found = set(edges.get(start, ()))
    for _ in NODES:
        found |= {target for node in found for target in edges.get(node, ())}
    return found


@given(edges=graphs, start=st.sampled_from(NODES))
def test_closure_is_everything_reached_and_known(edges: Edges, start: str) -> None:
    assert closure(start, edges) == {node for node in {start} | reached(start, edges) if node in edges}


@given(edges=graphs, starts=st.lists(st.sampled_from(NODES), unique=True))
def test_cycles_are_cycles_that_the_starts_lead_to(edges: Edges, starts: list[str]) -> None:
    found = list(cycles(starts, edges))
    for cycle in found:
        assert len(set(cycle)) == len(cycle)
        assert cycle[0] == min(cycle)
        assert all(after in edges[node] for node, after in zip(cycle, (*cycle[1:], cycle[0]), strict=True))
        assert any(cycle[0] in {start} | reached(start, edges) for start in starts)


@given(edges=graphs, starts=st.lists(st.sampled_from(NODES), unique=True))
def test_a_graph_with_a_cycle_in_reach_never_passes(edges: Edges, starts: list[str]) -> None:
    in_reach = {node for start in starts for node in {start} | reached(start, edges)}
    assert bool(list(cycles(starts, edges))) == any(node in reached(node, edges) for node in in_reach)


@given(edges=graphs, starts=st.permutations(NODES))
def test_without_its_reported_cycles_edges_a_graph_is_free_of_cycles(edges: Edges, starts: list[str]) -> None:
    """So that who breaks up every cycle that is told is told of no more."""
    broken = {node: set(targets) for node, targets in edges.items()}
    for cycle in cycles(starts, edges):
        broken[cycle[-1]].discard(cycle[0])
        for node, after in pairwise(cycle):
            broken[node].discard(after)
    assert list(cycles(starts, broken)) == []


@given(edges=graphs)
def test_reversed_edges_are_the_edges_reversed(edges: Edges) -> None:
    pairs = {(target, node) for node, targets in edges.items() for target in targets}
    back = reversed_edges(edges)
    assert {(node, user) for node, users in back.items() for user in users} == pairs
    assert all(users == sorted(users) for users in back.values())


@given(edges=graphs, node=st.sampled_from(NODES))
def test_a_path_to_a_node_is_a_way_down_from_the_top(edges: Edges, node: str) -> None:
    path = path_to(node, edges)
    assert path[-1] == node
    assert len(set(path)) == len(path)
    assert all(after in edges[before] for before, after in pairwise(path))
    assert {user for user, targets in edges.items() if path[0] in targets} <= set(path)
