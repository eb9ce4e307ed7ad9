"""Settings objects over several levels: each field has the value, and the place, of the last level that states it."""

from __future__ import annotations

from functools import reduce
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from oneiric_compiler.diagnostics.found import Place
from oneiric_compiler.linking.merging import merged
from oneiric_compiler.model import Stated
from oneiric_compiler.settings.documents import Path_, Value
from oneiric_compiler.source.types import AnyOf, Bounded, Many, Parameter, Record, Scalar, Type

NAMES = ("a", "b", "c")
TREE = Record("shop:Tree", (), made=True)
TREE.fields = (
    Parameter("a", AnyOf((TREE, Scalar("None"))), False),
    Parameter("b", Bounded(TREE, (("ge", 1),)), False),
    Parameter("c", Many("dict", Scalar("Any")), False),
)
LEAVES = st.one_of(st.none(), st.integers(0, 3), st.lists(st.integers(0, 3), max_size=2))
VALUES = st.recursive(LEAVES, lambda inner: st.dictionaries(st.sampled_from((*NAMES, "z")), inner), max_leaves=8)
LEVELS = st.lists(st.dictionaries(st.sampled_from((*NAMES, "z")), VALUES), min_size=1, max_size=4)


def stated(level: int, value: Value) -> Stated[Value]:
    def within(*path: str | int) -> Place:
        held: Any = value
        for part in path:
            held = held[part]
        return Place(f"{level}#{'/'.join(map(str, path))}", None)

    return Stated(value, Place(f"{level}#", None), None, within)


def leaves(value: Value, type: Type) -> dict[Path_, Value]:
    """The fields of a value that are not objects again, by path, and the objects that are empty."""
    merges = type is TREE or type in (TREE.fields[0].type, TREE.fields[1].type)
    if not merges or not isinstance(value, dict) or not value:
        return {(): value}
    types = {each.name: each.type for each in TREE.fields}
    return {
        (name, *path): leaf
        for name, each in value.items()
        for path, leaf in leaves(each, types.get(name, Scalar("Any"))).items()
    }


def model(levels: list[dict[str, Value]]) -> dict[Path_, tuple[Value, int]]:
    """By path, the last level's value of each leaf, which ends what stood at its path, below it or above."""
    found: dict[Path_, tuple[Value, int]] = {}
    for number, level in enumerate(levels):
        for path, leaf in leaves(level, TREE).items():
            if leaf == {} and any(other[: len(path)] == path and other != path for other in found):
                continue
            found = {
                other: each
                for other, each in found.items()
                if other[: len(path)] != path and path[: len(other)] != other
            }
            found[path] = (leaf, number)
    return found


@given(LEVELS)
def test_each_field_is_of_the_last_level_that_states_it(levels: list[dict[str, Value]]) -> None:
    result = reduce(lambda lower, upper: merged(lower, upper, TREE), (stated(*each) for each in enumerate(levels)))
    wanted = model(levels)
    assert leaves(result.value, TREE) == {path: leaf for path, (leaf, _) in wanted.items()}
    for path, (_, level) in wanted.items():
        assert result.at(*path).pointer == f"{level}#{'/'.join(map(str, path))}"


@given(LEVELS)
def test_what_is_kept_is_what_the_last_level_does_not_state(levels: list[dict[str, Value]]) -> None:
    result = reduce(lambda lower, upper: merged(lower, upper, TREE), (stated(*each) for each in enumerate(levels)))
    for path in leaves(result.value, TREE):
        kept = any(path[: len(each)] == each for each in result.kept)
        assert kept == (result.at(*path).pointer.partition("#")[0] != str(len(levels) - 1))
