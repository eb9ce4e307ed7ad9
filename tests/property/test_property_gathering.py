"""What a pattern gathers and in which order, against a model that asks of each pair which comes first."""

from __future__ import annotations

from functools import cmp_to_key
from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from oneiric_compiler.linking.gathering import matched, ordered
from oneiric_compiler.model import Key

NAMES = ["a", "a.b", "a.c", "ab", "b", "b.a", "c"]
keys = st.lists(st.sampled_from([Key(*each) for each in product(("service", "task"), NAMES)]), unique=True)
patterns = st.sampled_from(
    [f"{domain}:{start}*" for domain, start in product(("service", "task"), ("", "a", "a.", "b"))]
)
orders = st.lists(st.sampled_from([*NAMES, "*"]), unique=True)


def comes_first(one: str, other: str, order: list[str]) -> int:
    """As `cmp`: by the place that the order gives each, itself or as one of the others, then by name."""
    others = order.index("*") if "*" in order else len(order)
    places = [(order.index(name) if name in order else others, name) for name in (one, other)]
    return (places[0] > places[1]) - (places[0] < places[1])


@given(keys, patterns)
def test_a_pattern_matches_what_begins_so(found: list[Key], pattern: str) -> None:
    domain, _, start = pattern[:-1].partition(":")
    assert matched(pattern, found) == sorted(
        key for key in found if key.domain == domain and key.name.startswith(start)
    )


@given(keys, patterns, orders)
def test_an_order_moves_what_it_names_and_nothing_is_lost(found: list[Key], pattern: str, order: list[str]) -> None:
    members = matched(pattern, found)
    names = [key.name for key in ordered(members, order)]
    assert sorted(names) == sorted(key.name for key in members)
    assert names == sorted(names, key=cmp_to_key(lambda one, other: comes_first(one, other, order)))
