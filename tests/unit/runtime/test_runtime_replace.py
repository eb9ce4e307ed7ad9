"""Replacements are held against the ports of their keys when they are handed in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from inspect import Parameter, Signature
from itertools import product
from types import SimpleNamespace
from typing import Any, Protocol
from unittest.mock import AsyncMock, create_autospec

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric import ReplacementError, Runtime, UnknownKey
from oneiric.fitting import misfits

from tests.unit.runtime.shop import parts
from tests.unit.runtime.shop.wiring import Wiring


class Fits:
    async def get(self, key: str) -> bytes | None: ...
    async def set(self, key: str, value: bytes, *, ttl: float | None = None, more: int = 0) -> None: ...


async def _get(key: str) -> bytes | None: ...


def _made(**members: Any) -> object:
    return type("Made", (Fits,), members)()


async def _set(self: object, key: str, value: bytes, *, ttl: float | None = None) -> None: ...
async def _set_anything(self: object, *args: Any, **kwargs: Any) -> None: ...


def _through(self: object, *args: Any, **kwargs: Any) -> Any:
    return _set(self, *args, **kwargs)


_through.__wrapped__ = _set  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "fake",
    [
        Fits(),
        _made(set=_set_anything),
        _made(set=_through),
        _made(get=staticmethod(_get), set=partial(_set, None)),
        AsyncMock(spec=parts.Cache),
        create_autospec(parts.Cache, instance=True),
        Runtime(Wiring, replace={"adapter:cache": Fits()}).wiring.adapters.cache.live,
    ],
    ids=lambda fake: type(fake).__name__,
)
def test_what_fits_is_taken(fake: Any) -> None:
    assert Runtime(Wiring, replace={"adapter:cache": fake}).wiring.adapters.cache.current is fake


async def _renamed(self: object, name: str) -> bytes | None: ...
async def _no_ttl(self: object, key: str, value: bytes) -> None: ...
async def _one(self: object, key: str) -> None: ...
async def _three(self: object, key: str, value: bytes, third: int, *, ttl: float | None = None) -> None: ...
async def _needs_ttl(self: object, key: str, value: bytes, *, ttl: float | None) -> None: ...


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"get": None}, "has get, which is not a method"),
        ({"get": Fits}, "has a class get where the port has a method"),
        ({"get": lambda self, key: b""}, "has get, which is not async, and the port's is"),
        ({"get": _renamed}, "has get, which calls its parameter name where the port says key"),
        ({"set": _no_ttl}, "has set, which takes no ttl by keyword"),
        ({"set": _one}, "has set, which takes no value by position"),
        ({"set": _three}, "has set, which requires third, which the port does not have"),
        ({"set": _needs_ttl}, "has set, which requires ttl, which the port leaves optional"),
    ],
)
def test_what_does_not_fit_is_refused(members: dict[str, Any], reason: str) -> None:
    with pytest.raises(ReplacementError) as caught:
        Runtime(Wiring, replace={"adapter:cache": _made(**members)})
    assert caught.value.mistakes == (f"adapter:cache: Made {reason} (port {parts.__name__}:Cache)",)


class Database:
    async def fetch(self, sql: str, parameters: tuple[object, ...] = ()) -> list[str]: ...  # type: ignore[empty-body]
    async def rows(self, count: int, *, fail_at: int | None = None) -> list[int]: ...  # type: ignore[empty-body]
    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[str]:
        yield ""

    async def size(self) -> int: ...  # type: ignore[empty-body]


def test_all_mistakes_of_all_replacements_are_told_at_once() -> None:
    with pytest.raises(ReplacementError) as caught:
        Runtime(Wiring, replace={"adapter:database": Database(), "adapter:secrets": object(), "adapter:cache": Fits})
    said = [text.partition(" (port ")[0] for text in caught.value.mistakes]
    assert said == [
        "adapter:database: Database has rows, which is async, and the port's is not",
        "adapter:database: Database has no method names",
        "adapter:database: Database has no method locked",
        "adapter:database: Database has size, which is async, and the port's is not",
        "adapter:secrets: object has no method get",
        "adapter:cache: Fits is a class, and an instance is wanted",
    ]
    assert str(caught.value) == "\n".join(caught.value.mistakes)


def test_a_class_in_the_place_of_an_instance_is_called_that() -> None:
    with pytest.raises(ReplacementError, match=r"^adapter:secrets: Fits is a class, and an instance is wanted$"):
        Runtime(Wiring, replace={"adapter:secrets": Fits})


def test_a_key_that_is_not_there_is_told_first() -> None:
    with pytest.raises(UnknownKey, match="did you mean adapter:cache"):
        Runtime(Wiring, replace={"adapter:secrets": object(), "adapter:cach": Fits()})


_KINDS = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


@st.composite
def _parameters(draw: st.DrawFn, open_ended: bool) -> list[Parameter]:
    """Parameters that a `def` can have, of three names at most."""
    names = draw(st.lists(st.sampled_from("abc"), unique=True))
    kinds = sorted(draw(st.lists(st.sampled_from(_KINDS), min_size=len(names), max_size=len(names))))
    found: list[Parameter] = []
    optional = False
    for name, kind in zip(names, kinds, strict=True):
        by_position = kind is not Parameter.KEYWORD_ONLY
        chosen = draw(st.booleans()) or (optional and by_position)
        optional = chosen if by_position else optional
        found.append(Parameter(name, kind, default=0 if chosen else Parameter.empty))
    if open_ended and draw(st.booleans()):
        found.append(Parameter("args", Parameter.VAR_POSITIONAL))
    if open_ended and draw(st.booleans()):
        found.append(Parameter("kwargs", Parameter.VAR_KEYWORD))
    return sorted(found, key=lambda each: each.kind)


def _calls(promised: Signature) -> list[tuple[list[str], list[str]]]:
    """Every call that a signature allows: what is given by position, what by keyword."""
    calls = []
    ways = [("", "position", "keyword")] * len(promised.parameters)
    for call in product(*ways):
        given = list(zip(promised.parameters, call, strict=True))
        by_position = [name for name, way in given if way == "position"]
        by_keyword = [name for name, way in given if way == "keyword"]
        try:
            bound = promised.bind(*by_position, **{name: name for name in by_keyword})
        except TypeError:
            continue
        if all(name == value for name, value in bound.arguments.items()):
            calls.append((by_position, by_keyword))
    return calls


def _called(function: Any, call: tuple[list[str], list[str]]) -> bool:
    by_position, by_keyword = call
    try:
        function(*by_position, **{name: name for name in by_keyword})
    except TypeError:
        return False
    return True


def _function(parameters: list[Parameter]) -> Any:
    """A function of these parameters; what `Signature.bind` says of it is not always what a call does."""
    namespace: dict[str, Any] = {}
    exec(f"def function{Signature(parameters)}: return None", namespace)
    return namespace["function"]


def _renames(promised: list[Parameter], offered: list[Parameter]) -> bool:
    """Whether a parameter that may be named stands elsewhere in the offer: a call by position would mean another."""
    return any(
        one.kind is Parameter.POSITIONAL_OR_KEYWORD and one.name != other.name
        for one, other in zip(promised, offered, strict=False)
    )


@given(_parameters(open_ended=False), _parameters(open_ended=True))
def test_parameters_fit_where_every_call_that_the_port_allows_does(
    promised: list[Parameter], offered: list[Parameter]
) -> None:
    receiver = Parameter("self", Parameter.POSITIONAL_ONLY)
    port: type = type("Port", (Protocol,), {"method": _method([receiver, *promised]), "_is_protocol": True})
    function = _function(offered)
    fits = not list(misfits(port, SimpleNamespace(method=function)))
    calls = _calls(Signature(promised))
    if not fits:
        assert not all(_called(function, call) for call in calls) or _renames(promised, offered)
        return
    keywords = {each.name for each in promised if each.kind is Parameter.KEYWORD_ONLY}
    as_live_does = [call for call in calls if set(call[1]) <= keywords]
    assert all(_called(function, call) for call in as_live_does)


def _method(parameters: list[Parameter]) -> Any:
    def method(self: Any) -> None: ...

    method.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return method
