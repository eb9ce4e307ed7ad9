"""`live`: exact signatures, and a lease for as long as each call lasts."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, ClassVar, Protocol, overload

import pytest
from oneiric import NotActive, PortError, Runtime

from tests.unit.runtime.making import key, run, wiring_of

HERE = __name__


class Base(Protocol):
    async def inherited(self) -> int: ...


class Port(Base, Protocol):
    async def get(self, key: str, /, slot: int = 7, *rest: int, _held: bool = False, **more: object) -> str: ...
    async def anything(self, make: Callable[[], object]) -> Any: ...
    def anything_now(self, make: Callable[[], object]) -> Any: ...
    def stream(self, count: int, *, log: list[str]) -> AsyncIterator[int]: ...
    def generate(self, log: list[str]) -> AsyncGenerator[str, str]: ...
    def count(self) -> Generator[int, int, None]: ...
    def listed(self) -> Iterable[int]: ...
    def transaction(self, log: list[str]) -> AbstractAsyncContextManager[str]: ...
    def locked(self) -> AbstractContextManager[str]: ...
    def soon(self) -> Awaitable[int]: ...
    def unknown(self) -> NotImportedAnywhere: ...  # type: ignore[name-defined]  # noqa: F821
    def size(self) -> int: ...
    async def __call__(self, value: int) -> int: ...
    @overload
    async def either(self, value: int) -> int: ...
    @overload
    async def either(self, value: str) -> str: ...


class Impl:
    closed = 0

    async def inherited(self) -> int:
        return 1

    async def get(self, key: str, /, slot: int = 7, *rest: int, _held: bool = False, **more: object) -> str:
        return f"{key} {slot} {rest} {_held} {more}"

    async def anything(self, make: Callable[[], object]) -> Any:
        return make()

    def anything_now(self, make: Callable[[], object]) -> Any:
        return make()

    async def stream(self, count: int, *, log: list[str]) -> AsyncIterator[int]:
        try:
            for number in range(count):
                yield number
        finally:
            await asyncio.sleep(0)
            log.append("closed")

    async def generate(self, log: list[str]) -> AsyncGenerator[str, str]:
        try:
            sent = yield "first"
            while True:
                try:
                    sent = yield f"got {sent}"
                except KeyError:
                    sent = "error"
        finally:
            log.append("closed")

    def count(self) -> Generator[int, int, None]:
        sent = yield 1
        yield sent

    def listed(self) -> Iterable[int]:
        return [1, 2]

    @asynccontextmanager
    async def transaction(self, log: list[str]) -> AsyncIterator[str]:
        try:
            yield "inside"
        except ValueError:
            log.append("rolled back")
            raise

    @contextmanager
    def locked(self) -> Iterator[str]:
        yield "locked"

    def soon(self) -> Awaitable[int]:
        return asyncio.sleep(0, 5)

    def unknown(self) -> Iterator[int]:
        return iter(range(2))

    def size(self) -> int:
        return 3

    async def __call__(self, value: int) -> int:
        return value

    async def either(self, value: Any) -> Any:
        return value

    def close(self) -> None:
        self.closed += 1


async def with_live(story: Callable[[Any, Any], Awaitable[None]], *, active: bool = True) -> None:
    wiring = wiring_of(it=key(lambda _: Impl(), port=f"{HERE}:Port"))
    async with Runtime(wiring) as runtime:
        slot = runtime.wiring.adapters.it
        if active:
            await slot.live.inherited()
        await story(slot.live, slot)
        gc.collect()
        for _ in range(5):
            await asyncio.sleep(0)
        assert slot.held is None or slot.held.leases == 0


def test_signatures_are_the_ports_own() -> None:
    async def story(live: Any, _: Any) -> None:
        assert await live.get("k") == "k 7 () False {}"
        assert await live.get("k", 1, 2, 3, _held=True, x=4) == "k 1 (2, 3) True {'x': 4}"
        with pytest.raises(TypeError):
            await live.get(key="k", slots=1)
        assert str(inspect.signature(type(live).get)) == str(inspect.signature(Port.get))
        assert await live(4) == 4
        assert (await live.either(1), await live.either("a")) == (1, "a")
        with pytest.raises(AttributeError):
            _ = live.close
        assert repr(live) == "<live adapter:it>"

    run(with_live(story))


async def awaited(live: Any) -> None:
    assert await live.soon() == 5


async def iterated(live: Any) -> None:
    assert [number async for number in live.stream(2, log=[])] == [0, 1]


async def entered(live: Any) -> None:
    async with live.transaction([]) as inside:
        assert inside == "inside"


@pytest.mark.parametrize("activating", [awaited, iterated, entered])
def test_async_calls_activate_and_sync_ones_do_not(activating: Callable[[Any], Awaitable[None]]) -> None:
    async def story(live: Any, slot: Any) -> None:
        for call in (live.size, live.count, live.locked, live.listed, live.unknown):
            with pytest.raises(NotActive):
                call()
        await activating(live)
        assert slot.state == "active"
        assert live.size() == 3

    run(with_live(story, active=False))


def leases(slot: Any) -> int:
    held: int = slot.held.leases
    return held


def test_an_async_iterator_is_leased_until_it_is_exhausted_or_closed() -> None:
    async def story(live: Any, slot: Any) -> None:
        log: list[str] = []
        stream = live.stream(2, log=log)
        assert leases(slot) == 0
        assert await anext(stream) == 0
        assert leases(slot) == 1
        assert [number async for number in stream] == [1]
        assert (leases(slot), log) == (0, ["closed"])
        assert [number async for number in stream] == []
        stream = live.stream(2, log=log)
        await anext(stream)
        await stream.aclose()
        assert (leases(slot), log) == (0, ["closed"] * 2)
        await live.stream(2, log=log).aclose()

    run(with_live(story))


def test_a_dropped_iterator_is_closed_before_its_lease_ends() -> None:
    async def story(live: Any, slot: Any) -> None:
        log: list[str] = []
        async for _ in live.stream(3, log=log):
            break
        gc.collect()
        while leases(slot):
            assert log == []
            await asyncio.sleep(0)
        assert log == ["closed"]

    run(with_live(story))


def test_sending_and_throwing_reach_the_generator() -> None:
    async def story(live: Any, slot: Any) -> None:
        log: list[str] = []
        generator = live.generate(log)
        assert await anext(generator) == "first"
        assert await generator.asend("x") == "got x"
        assert await generator.athrow(KeyError()) == "got error"
        with pytest.raises(ValueError, match="mine"):
            await generator.athrow(ValueError("mine"))
        assert (leases(slot), log) == (0, ["closed"])
        numbers = live.count()
        assert (next(numbers), numbers.send(9), leases(slot)) == (1, 9, 1)
        with pytest.raises(StopIteration):
            next(numbers)
        assert leases(slot) == 0
        numbers = live.count()
        numbers.close()
        assert leases(slot) == 0
        assert live.listed() == [1, 2]

    run(with_live(story))


def test_a_context_manager_is_leased_from_enter_to_exit() -> None:
    async def story(live: Any, slot: Any) -> None:
        log: list[str] = []
        transaction = live.transaction(log)
        assert leases(slot) == 0
        async with transaction:
            assert leases(slot) == 1
            with pytest.raises(RuntimeError):
                await transaction.__aenter__()
        assert leases(slot) == 0
        with pytest.raises(ValueError, match="mine"):
            async with live.transaction(log):
                raise ValueError("mine")
        assert (leases(slot), log) == (0, ["rolled back"])
        with live.locked() as inside:
            assert (inside, leases(slot)) == ("locked", 1)
        assert leases(slot) == 0

    run(with_live(story))


class Connection:
    """Everything at once: awaitable, a context manager, iterable, with methods."""

    name = "c"

    def __await__(self) -> Generator[Any, Any, Connection]:
        yield from asyncio.sleep(0).__await__()
        return self

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *error: object) -> None: ...

    async def __aiter__(self) -> AsyncIterator[int]:
        yield 1

    def __len__(self) -> int:
        return 4

    async def close(self) -> None: ...


def test_results_that_are_not_over_are_found_whatever_the_annotation_says() -> None:
    async def story(live: Any, slot: Any) -> None:
        for call in (live.anything, lambda make: _now(live.anything_now(make))):
            assert await call(lambda: 5) == 5
            assert leases(slot) == 0
            connection = await call(Connection)
            assert (leases(slot), connection.name, len(connection)) == (1, "c", 4)
            assert await connection is connection
            assert [number async for number in connection] == [1]
            assert not hasattr(connection, "__next__")
            async with connection as same:
                assert same is connection
            assert leases(slot) == 0
            connection = await call(Connection)
            await connection.close()
            assert leases(slot) == 0
            inner = await call(lambda: live.soon())
            assert leases(slot) == 1
            assert await inner == 5
            assert leases(slot) == 0
        rows = live.unknown()
        assert (list(rows), leases(slot)) == ([0, 1], 0)

    run(with_live(story))


async def _now(value: Any) -> Any:
    return value


def test_a_dropped_result_gives_its_lease_back() -> None:
    async def story(live: Any, slot: Any) -> None:
        await live.anything(Connection)
        live.count()
        gc.collect()
        while leases(slot):
            await asyncio.sleep(0)

    run(with_live(story))


class WithProperty(Protocol):
    @property
    def name(self) -> str: ...


class WithAttribute(Protocol):
    name: str


class Own:
    LIMIT: ClassVar[int] = 3

    @property
    def name(self) -> str:
        return "own"

    async def start(self) -> None: ...

    async def hello(self) -> str:
        return "hello"


def test_ports_with_more_than_methods_are_refused() -> None:
    wiring = wiring_of(
        one=key(lambda _: 1, port=f"{HERE}:WithProperty"),
        two=key(lambda _: 2, port=f"{HERE}:WithAttribute"),
        three=key(lambda _: 3),
        four=key(lambda _: 4, port=f"{HERE}:Nothing"),
        five=key(lambda _: 5, port="no_such_module:Port"),
        own=key(lambda _: Own(), port=f"{HERE}:Own"),
    )
    adapters = Runtime(wiring).wiring.adapters
    for slot, message in (
        (adapters.one, "WithProperty.name is a property"),
        (adapters.two, "WithAttribute.name is an attribute"),
        (adapters.three, "adapter:three has no port"),
        (adapters.four, "Nothing cannot be loaded"),
        (adapters.five, "no_such_module:Port cannot be loaded"),
    ):
        with pytest.raises(PortError, match=message):
            _ = slot.live

    async def story() -> None:
        async with Runtime(wiring) as runtime:
            live = runtime.wiring.adapters.own.live
            assert await live.hello() == "hello"
            assert not hasattr(live, "start")
            for refused in ("name", "LIMIT"):
                with pytest.raises(PortError, match=refused):
                    getattr(live, refused)

    run(story())
