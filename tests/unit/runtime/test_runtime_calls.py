"""Calls by name: payloads are held against the port's types, results are JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NotRequired, Protocol, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric import Runtime, Token
from oneiric.boundary import PlainError, plain, read_as
from oneiric.calls import Call, PayloadError, invoke, parse_call
from oneiric.flows.model import Unserved
from oneiric.runtime import host_of

from tests.unit.runtime.making import key, run, wiring_of


class Address(TypedDict):
    city: str
    zip: NotRequired[str]


@dataclass
class Person:
    name: str
    age: int


class Wrong(ValueError):
    def errors(self) -> list[dict[str, Any]]:
        return [{"loc": ("name",), "msg": "is not a text", "input": "secret"}]


class Model:
    """As models of pydantic look."""

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def model_validate(cls, data: Any) -> Model:
        if not isinstance(data["name"], str):
            raise Wrong("secret")
        return cls(data["name"])

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        assert mode == "json"
        return {"name": self.name}


class Greets(Protocol):
    async def __call__(self, *, who: Person, at: Address, often: int = 1) -> Person: ...
    async def tag(self, *, name: str, token: Token) -> str: ...
    async def perhaps(self, *, token: Token | None = None) -> str: ...
    async def anything(self, **fields: Any) -> dict[str, Any]: ...
    async def broken(self) -> object: ...
    def at_once(self, *, number: float) -> float: ...


class Greeter:
    async def __call__(self, *, who: Person, at: Address, often: int = 1) -> Person:
        assert isinstance(who, Person)
        return Person(f"{who.name} of {at['city']}", who.age * often)

    async def tag(self, *, name: str, token: Token) -> str:
        return f"{name} {token}"

    async def perhaps(self, *, token: Token | None = None) -> str:
        return f"{token}"

    async def anything(self, **fields: Any) -> dict[str, Any]:
        return fields

    async def broken(self) -> object:
        return {"a": [float("nan")]}

    def at_once(self, *, number: float) -> float:
        return number


def asked(call: str, payload: Any, **options: Any) -> Any:
    wiring = wiring_of(greet=key(lambda _: Greeter(), name="task:greet", port=f"{__name__}:Greets"),
                       bare=key(lambda _: Greeter(), name="task:bare"))  # fmt: skip

    async def ask() -> Any:
        async with Runtime(wiring) as runtime:
            return await invoke(host_of(runtime).base, call, payload, **options)

    return run(ask())


@pytest.mark.parametrize("name", ["task:greet", "task:bare"])
def test_a_call_takes_json_and_gives_json(name: str) -> None:
    payload = {"who": {"name": "a", "age": 2}, "at": {"city": "b"}}
    assert asked(name, payload) == {"name": "a of b", "age": 2}
    assert asked(name, {**payload, "often": 3})["age"] == 6


@pytest.mark.parametrize(
    ("payload", "field", "says"),
    [
        ({}, "at", "is missing"),
        ({"at": {"city": "b"}}, "who", "is missing"),
        ({"who": {"name": "a", "age": "2"}, "at": {"city": "b"}}, "who.age", "expected `int`, got `str`"),
        ({"who": {"name": "a"}, "at": {"city": "b"}}, "who", "required field `age`"),
        ({"who": {"name": "a", "age": 2}, "at": {"city": "b", "zip": 1}}, "at.zip", "expected `str`"),
        ({"who": {"name": "a", "age": 2}, "at": {"city": "b"}, "ofen": 1}, "ofen", "did you mean `often`?"),
        ({"who": {"name": "a", "age": 2}, "at": {"city": "b"}, "xyz": 1}, "xyz", "it takes at, often, who"),
        ({"who": {"name": "a", "age": True}, "at": {"city": "b"}}, "who.age", "expected `int`, got `bool`"),
    ],
)
def test_a_payload_of_other_types_is_refused_by_its_field(payload: Any, field: str, says: str) -> None:
    with pytest.raises(PayloadError) as caught:
        asked("task:greet", payload)
    assert caught.value.field == field
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"task:greet: `{field}` is ")


def test_all_that_is_wrong_with_a_payload_is_told_at_once() -> None:
    with pytest.raises(PayloadError) as caught:
        asked("task:greet", {"who": {"name": "a", "age": "2"}, "ofen": 1, "often": True})
    told = dict(caught.value.faults)
    assert [*told] == ["ofen", "at", "who.age", "often"]
    assert told["at"] == "is missing"
    assert all(f"`{field}` {what}" in str(caught.value) for field, what in told.items())


def test_a_step_is_given_its_token_and_any_other_call_one_of_its_own() -> None:
    assert asked("task:greet#tag", {"name": "a"}, token="run/a") == "a run/a"
    assert len(asked("task:greet#tag", {"name": "a"})) == len("a ") + 32
    assert asked("task:greet#perhaps", {}, token="run/a") == "run/a"


def test_what_takes_anything_is_given_it() -> None:
    assert asked("task:greet#anything", {"a": None, "b": [1]}) == {"a": None, "b": [1]}
    assert asked("task:greet#at_once", {"number": 2}) == 2


def test_what_json_cannot_carry_is_an_error_of_the_call() -> None:
    with pytest.raises(PlainError, match=r"task:greet#broken gives cannot be kept as JSON: a\[0\] is nan"):
        asked("task:greet#broken", {})


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("task:greet#tags", "has no method tags; it has __call__, anything, at_once, broken, perhaps, tag"),
        ("task:gret", "did you mean task:greet"),
    ],
)
def test_what_nobody_serves_names_the_nearest(call: str, says: str) -> None:
    with pytest.raises(Unserved) as caught:
        asked(call, {})
    assert says in str(caught.value)


def test_a_call_is_a_key_and_a_method() -> None:
    assert parse_call("task:a.b#run") == Call("task:a.b", "run")
    assert parse_call("service:mail") == Call("service:mail", "__call__")
    for text in ("task", "task:", ":a", "task:a#", "task:a#b c", ""):
        with pytest.raises(ValueError, match="is not DOMAIN:KEY"):
            parse_call(text)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    max_leaves=10,
)


@given(JSON)
def test_json_is_plain_as_it_is(value: Any) -> None:
    try:
        made = plain(value)
    except PlainError:
        assert "\\ud" in ascii(value)
    else:
        assert made == value
        assert read_as(made, Any) == value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"a": [1, float("inf")]}, r"a\[1\] is inf"),
        ({"a": "\ud800"}, "a has a lone surrogate"),
        (object(), "the value is not JSON"),
        ({1: {2: 3}, "1": 4}, None),
    ],
)
def test_what_is_not_json_is_told_with_its_place(value: Any, says: str | None) -> None:
    if says is None:
        assert plain(value) == {"1": 4}
        return
    with pytest.raises(PlainError, match=says):
        plain(value)


def test_models_of_pydantic_are_read_and_made_plain() -> None:
    assert plain({"item": read_as({"name": "a"}, Model)}) == {"item": {"name": "a"}}
    with pytest.raises(PlainError, match=r"^the value is not what the model takes: name: is not a text$"):
        read_as({"name": 1}, Model)
