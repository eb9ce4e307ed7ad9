"""What a decorator returns is what a method is: calls under decorators last as long as what they give."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import types
import weakref
from collections import namedtuple
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol

import oneiric.live.results
import pytest
import wrapt
from oneiric import NotActive, PortError, Runtime
from oneiric.live.handles import handle_class

from tests.unit.runtime.making import key, run, wiring_of

HERE = __name__


def plainly(function: Any) -> Any:
    """What most decorators are: a function that passes everything on and shows the name of what is beneath."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def hidden(function: Any) -> Any:
    """The same without a trace of what is beneath but its name and annotations."""
    wrapper = plainly(function)
    del wrapper.__wrapped__
    return wrapper


def nameless(function: Any) -> Any:
    """One that copies nothing."""
    return lambda *args, **kwargs: function(*args, **kwargs)


def in_an_object(function: Any) -> Any:
    """One that returns no function at all, but something that is bound like one."""
    return functools.lru_cache(maxsize=None)(function)


def transparently(function: Any) -> Any:
    """One whose result pretends to be the function."""

    @wrapt.decorator
    def passing(wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
        return wrapped(*args, **kwargs)

    return passing(function)


def awaiting(function: Any) -> Any:
    """One that is `async def` itself."""

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    return wrapper


def to_list(function: Any) -> Any:
    """One that makes another thing of it."""

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> list[Any]:
        return [item async for item in function(*args, **kwargs)]

    return wrapper


def with_one(function: Any) -> Any:
    """One that gives an argument which callers do not have."""

    @functools.wraps(function)
    def wrapper(self: Any, more: int) -> Any:
        return function(self, 1, more)

    return wrapper


SYNC = (plainly, hidden, nameless, in_an_object)
PASSING = (*SYNC, transparently)


class Base:
    """Whatever a decorator may stand over. `closes` says how often the instance was closed."""

    def __init__(self) -> None:
        self.closes = 0

    def close(self) -> None:
        self.closes += 1


def class_under(decorate: Callable[[Any], Any]) -> type[Any]:
    """A class that is its own port, with the decorator over every method."""

    class Decorated(Base):
        @decorate
        def plain(self, value: int = 3) -> int:
            return value

        @decorate
        async def awaited(self, gate: asyncio.Event) -> int:
            await gate.wait()
            assert self.closes == 0
            return 4

        @decorate
        def numbers(self) -> Iterator[int]:
            yield from (1, 2)

        @decorate
        async def stream(self) -> AsyncIterator[int]:
            for number in (1, 2):
                await asyncio.sleep(0)
                yield number

        @decorate
        @contextmanager
        def locked(self) -> Iterator[str]:
            yield "locked"

        @decorate
        @asynccontextmanager
        async def transaction(self) -> AsyncIterator[str]:
            yield "inside"
            assert self.closes == 0

    return Decorated


CLASSES: dict[str, type[Any]] = {}
for each in PASSING:
    CLASSES[each.__name__] = globals()[f"Under_{each.__name__}"] = class_under(each)


async def with_live(port: str, make: Callable[[], Any], story: Callable[[Any, Any, Any], Awaitable[None]]) -> None:
    async with Runtime(wiring_of(it=key(lambda _: make(), port=port))) as runtime:
        live = await runtime.use("adapter", "it")
        slot: Any = runtime.wiring.adapters.it
        await story(live, slot, runtime)
        gc.collect()
        for _ in range(5):
            await asyncio.sleep(0)
        assert slot.held is None or slot.held.leases == 0


def leases(slot: Any) -> int:
    held: int = slot.held.leases
    return held


async def every_kind(live: Any, slot: Any, runtime: Any) -> None:
    """A class under one decorator: each kind of method, leased for exactly as long as it lasts."""
    assert (live.plain(), live.plain(value=5), leases(slot)) == (3, 5, 0)
    gate = asyncio.Event()
    call = asyncio.create_task(_awaiting(live.awaited(gate)))
    await asyncio.sleep(0)
    assert (leases(slot), call.done()) == (1, False)
    gate.set()
    assert (await call, leases(slot)) == (4, 0)
    numbers = live.numbers()
    assert (next(numbers), leases(slot), list(numbers), leases(slot)) == (1, 1, [2], 0)
    stream = live.stream()
    assert (await anext(stream), leases(slot)) == (1, 1)
    assert ([number async for number in stream], leases(slot)) == ([2], 0)
    with live.locked() as inside:
        assert (inside, leases(slot)) == ("locked", 1)
    assert leases(slot) == 0
    async with live.transaction() as inside:
        assert (inside, leases(slot)) == ("inside", 1)


async def _awaiting(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


@pytest.mark.parametrize("name", CLASSES)
def test_a_call_under_a_decorator_is_leased_for_as_long_as_what_it_gives(name: str) -> None:
    run(with_live(f"{HERE}:Under_{name}", CLASSES[name], every_kind))


@pytest.mark.parametrize("name", [each.__name__ for each in SYNC])
def test_nothing_is_known_before_a_call_under_a_decorator_so_it_does_not_activate(name: str) -> None:
    async def story() -> None:
        async with Runtime(wiring_of(it=key(lambda _: CLASSES[name](), port=f"{HERE}:Under_{name}"))) as runtime:
            live = runtime.wiring.adapters.it.live
            for call in (live.plain, live.numbers, live.stream, live.locked, live.transaction):
                with pytest.raises(NotActive):
                    call()
            with pytest.raises(NotActive):
                await live.awaited(asyncio.Event())

    run(story())


class Known(Base):
    """Decorators of which is known, without a call, what they return."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[str]:
        yield "inside"

    @awaiting
    def soon(self) -> int:
        return 6

    @to_list
    async def listed(self) -> AsyncIterator[int]:
        yield 7

    @awaiting
    def opened(self) -> int:
        return iter([8])  # type: ignore[return-value]

    @types.coroutine
    def stepping(self) -> Generator[Any, Any, int]:
        yield from asyncio.sleep(0).__await__()
        return 9

    @with_one
    def added(self, one: int, more: int) -> int:
        return one + more


def test_decorators_that_say_what_they_return_activate() -> None:
    async def entered(live: Any) -> str:
        async with live.transaction() as inside:
            return str(inside)

    async def story() -> None:
        for call, want in ((entered, "inside"), (lambda live: live.soon(), 6), (lambda live: live.listed(), [7])):
            async with Runtime(wiring_of(it=key(lambda _: Known(), port=f"{HERE}:Known"))) as runtime:
                slot: Any = runtime.wiring.adapters.it
                assert await call(slot.live) == want
                assert leases(slot) == 0
                assert await slot.live.stepping() == 9
                assert leases(slot) == 0
                opened = await slot.live.opened()
                assert (leases(slot), list(opened), leases(slot)) == (1, [8], 0)

    run(story())


def test_a_decorators_own_arguments_are_passed_on() -> None:
    async def story(live: Any, slot: Any, runtime: Any) -> None:
        assert (live.added(2), live.added(more=3)) == (3, 4)
        with pytest.raises(TypeError):
            live.added(1, 2)

    run(with_live(f"{HERE}:Known", Known, story))


class Promised(Protocol):
    """What implementations under decorators are to keep, and what they give instead."""

    def size(self) -> int: ...
    def rows(self) -> list[int]: ...
    def items(self) -> Iterable[int]: ...
    async def get(self) -> int: ...
    @asynccontextmanager
    def entered(self) -> AsyncIterator[str]:
        raise NotImplementedError


class Different(Base):
    """Behind that port, decorators that give what lasts."""

    @plainly
    async def size(self) -> int:
        await asyncio.sleep(0)
        assert self.closes == 0
        return 1

    @plainly
    def rows(self) -> Iterator[int]:
        yield 2

    @contextmanager
    def items(self) -> Iterator[int]:
        yield 3

    @plainly
    async def get(self) -> int:
        await asyncio.sleep(0)
        return 4

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[str]:
        yield "entered"


def test_what_an_implementation_gives_is_looked_at_whatever_its_port_says() -> None:
    async def story(live: Any, slot: Any, runtime: Any) -> None:
        size = live.size()
        assert (leases(slot), await size, leases(slot)) == (1, 1, 0)
        rows = live.rows()
        assert (leases(slot), list(rows), leases(slot)) == (1, [2], 0)
        with live.items() as item:
            assert (leases(slot), item) == (1, 3)
        assert (leases(slot), await live.get(), leases(slot)) == (0, 4, 0)
        async with live.entered() as inside:
            assert (leases(slot), inside) == (1, "entered")

    run(with_live(f"{HERE}:Promised", Different, story))


def test_a_reload_waits_for_a_call_under_a_decorator() -> None:
    """The instance is not closed under it."""

    async def story(live: Any, slot: Any, runtime: Any) -> None:
        gate = asyncio.Event()
        call = asyncio.create_task(_awaiting(live.awaited(gate)))
        await asyncio.sleep(0)
        instance = slot.current
        other = wiring_of(it=key(lambda _: Under_plainly(), name="adapter:it", port=f"{HERE}:Under_plainly"))
        next(iter(other.__domains__["adapters"].__bindings__.values())).fingerprint = "g"
        reload = asyncio.create_task(runtime.reload(other))
        while slot.held.instance is instance:
            await asyncio.sleep(0)
        assert instance.closes == 0
        gate.set()
        assert await call == 4
        assert (await reload).accepted
        assert instance.closes == 1

    run(with_live(f"{HERE}:Under_plainly", lambda: Under_plainly(), story))


Under_plainly: Any = CLASSES["plainly"]


class Unlike(Base):
    """What a class may have that is not a method, and cannot be forwarded."""

    bound = functools.partialmethod(Base.close)

    @functools.cached_property
    def cached(self) -> int:
        return 1

    @functools.singledispatchmethod
    def either(self, value: object) -> object:
        return value


def test_what_is_not_callable_is_refused_by_name() -> None:
    live = handle_class(Unlike)(None)
    for name in ("bound", "cached", "either"):
        with pytest.raises(PortError, match=name):
            getattr(live, name)


def test_classes_of_results_are_not_kept() -> None:
    """A thousand classes made on the spot, each the result of one call: none is left afterwards."""

    class Maker(Base):
        def record(self, make: Callable[[], Any]) -> Any:
            return make()

    async def story() -> None:
        async with Runtime(wiring_of(it=key(lambda _: Maker(), port=f"{HERE}:Maker"))) as runtime:
            live = await runtime.use("adapter", "it")
            before, left = len(oneiric.live.results.OVER), []
            for number in range(1_000):
                record = live.record(lambda: namedtuple("Record", ["a", "b"])(1, 2))  # type: ignore[call-arg,arg-type]
                iterator = live.record(lambda: type("Rows", (), {"__next__": lambda self: 1})())
                assert (record.a, next(iterator)) == (1, 1)
                if not number % 100:
                    left += [weakref.ref(type(record)), weakref.ref(type(iterator))]
                del record, iterator
            for _ in range(3):  # dropped iterators are told of on the loop; garbage found first keeps the rest
                await asyncio.sleep(0)
                gc.collect()
            assert [kind for kind in left if kind() is not None] == []
            assert len(oneiric.live.results.OVER) == before
            live.record(lambda: Base())
            assert Base in oneiric.live.results.OVER

    globals()["Maker"] = Maker
    run(story())


def test_handle_classes_go_with_their_ports() -> None:
    def port() -> weakref.ref[type]:
        kind = type("Port", (Base,), {"get": Base.close})
        handle_class(kind)
        return weakref.ref(kind)

    gone = port()
    gc.collect()
    assert gone() is None
