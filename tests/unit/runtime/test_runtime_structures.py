"""Variables that are lists, mappings and objects: what they become, and what is said of one that does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from oneiric import Secret, VariableError
from oneiric.convert import Unshown, boolean, convert, one_of
from oneiric.lifecycle.inputs import Inputs
from oneiric.structures import (
    anything,
    dict_of,
    fixed,
    frozenset_of,
    list_of,
    optional,
    record,
    set_of,
    then,
    tuple_of,
)
from oneiric.wiring import bind


class Colour(Enum):
    RED = "r"
    BLUE = 2


@dataclass
class Host:
    name: str
    port: int = 1


@dataclass
class Pool:
    size: int
    hosts: list[Host] = field(default_factory=list)
    password: Secret | None = None

    def __post_init__(self) -> None:
        if self.size > 100:
            raise ValueError(f"hunter2 {self.size}")


host = record(Host, {"name": str, "port": int}, "name")
pool = record(Pool, {"size": int, "hosts": list_of(host), "password": optional(Secret)}, "size")


@pytest.mark.parametrize(
    ("converter", "text", "value"),
    [
        (list_of(str), "a, b ,c", ["a", "b", "c"]),
        (list_of(str), " ", []),
        (list_of(str), " [a, 'b, c', \"\\u00e9\", d e, ]\n", ["a", "b, c", "é", "d e"]),
        (list_of(str), "[1, true, null]", ["1", "true", "null"]),
        (list_of(int), "[1, 0x10, '3']", [1, 16, 3]),
        (list_of(float), "1,2.5", [1.0, 2.5]),
        (list_of(boolean), "[yes, false, '1']", [True, False, True]),
        (tuple_of(Colour), "RED, 2", (Colour.RED, Colour.BLUE)),
        (set_of(Path), "/a,/b", {Path("/a"), Path("/b")}),
        (frozenset_of(one_of("a", None, True, 3)), "[a, ~, true, 3]", frozenset(("a", None, True, 3))),
        (list_of(optional(int)), "1, null", [1, None]),
        (list_of(optional(str)), "[a, null, 'null']", ["a", None, "null"]),
        (list_of(optional(str)), "a, null", ["a", "null"]),
        (list_of(list_of(int)), "[[1], []]", [[1], []]),
        (dict_of(int), "{a: 1, 'b c': 2}", {"a": 1, "b c": 2}),
        (dict_of(anything), '{"a": [1, null, 1.5, "1", x]}', {"a": [1, None, 1.5, "1", "x"]}),
        (dict_of(int), "", {}),
        (fixed(int, str), "1, x", (1, "x")),
        (fixed(int, fixed(str)), "[1, [x]]", (1, ("x",))),
        (list_of(then(str, str.upper)), "a,b", ["A", "B"]),
        (pool, "{size: 2, hosts: [{name: a}, {name: b, port: 3}]}", Pool(2, [Host("a"), Host("b", 3)])),
        (pool, "{size: 1, password: s}", Pool(1, password=Secret("s"))),
        (optional(pool), "null", None),
        (optional(list_of(int)), "", []),
        (optional(int), " null ", None),
        (optional(Secret), "nul", Secret("nul")),
    ],
)
def test_a_text_becomes(converter: Any, text: str, value: object) -> None:
    found = convert(converter, text)
    assert found == value
    assert found.__class__ is value.__class__


@pytest.mark.parametrize(
    ("converter", "text", "expected"),
    [
        (list_of(int), "1, hunter2", "a whole number at `1`"),
        (list_of(int), "[1, [hunter2]]", "a text or a number at `1`"),
        (list_of(int), "[1", "`,` or `]` after each"),
        (list_of(int), "[1] hunter2", "nothing after its end"),
        (list_of(int), "[hunter2: 1]", "`,` or `]` after each"),
        (list_of(int), "[0644]", "a number of YAML 1.2, or a text in quotes at `0`"),
        (list_of(list_of(int)), "1,2", "a list: [a, b], or a, b at `0`"),
        (list_of(str), "[a, &b c]", "JSON, or YAML in flow style"),
        (list_of(str), '["\\x"]', "a text in quotes with the escapes of JSON"),
        (set_of(anything), "[[1]]", "items that can be told apart"),
        (dict_of(int), "hunter2", "a mapping: {a: b}"),
        (dict_of(int), "[1]", "a mapping: {a: b}"),
        (dict_of(int), "{a: 1, a: 2}", "each name once"),
        (dict_of(int), "{1: 2}", "names that are texts: put numbers and words in quotes"),
        (dict_of(int), "{a}", "a mapping: {a: b}"),
        (dict_of(dict_of(int)), "{a: {b: hunter2}}", "a whole number at `a.b`"),
        (fixed(int, int), "1", "a list of 2"),
        (pool, "{}", "the field size"),
        (pool, "{size: 1, hosts: [{port: 1}]}", "the field name at `hosts.0`"),
        (pool, "{size: 1, hunter2: 1}", "a mapping of size, hosts, password"),
        (pool, "{size: 1, hosts: [hunter2]}", "a mapping of name, port at `hosts.0`"),
        (pool, "{size: 1, password: [hunter2]}", "a text or a number at `password`"),
        (pool, "{size: 101}", "what Pool takes, which raised ValueError"),
        (list_of(one_of(1, "a", None)), "[hunter2]", "one of 1, a, null at `0`"),
    ],
)
def test_what_is_none_is_answered_with_its_place_and_not_its_text(converter: Any, text: str, expected: str) -> None:
    with pytest.raises(Unshown) as caught:
        convert(converter, text)
    assert str(caught.value) == expected
    assert "hunter2" not in repr((caught.value, caught.value.__cause__))
    binding: Any = bind("adapter:p", "", provider="p")
    for environ, default in (({"X": text}, None), ({}, text)):
        with pytest.raises(VariableError) as told:
            Inputs(binding, environ, {}).env_as(converter, "X", default)
        assert str(told.value).endswith(f" what cannot be read, expected {expected}")
        assert "hunter2" not in str(told.value)
