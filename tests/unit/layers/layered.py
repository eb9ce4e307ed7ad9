"""A port with every kind of method, something that serves it by a script, and its live handle, to put layers around."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar, overload

from oneiric import Runtime, errors

from tests.unit.layers.virtual import run
from tests.unit.runtime.making import key, wiring_of

HERE = __name__
T = TypeVar("T")


class Port(Protocol):
    async def get(self, key: str, /, *rest: object, times: int = 1, **more: object) -> Any: ...
    async def find(self, name: object, flag: object = False, *, limit: object = None) -> Any: ...
    def later(self) -> Awaitable[str]: ...
    def stream(self, source: object = None) -> AsyncIterator[Any]: ...
    def generate(self) -> AsyncGenerator[str, str]: ...
    def block(self, source: object = None) -> AbstractAsyncContextManager[Any]: ...
    def size(self) -> int: ...
    def count(self) -> Iterator[int]: ...
    async def __call__(self, value: int) -> int: ...
    @overload
    async def either(self, value: int) -> int: ...
    @overload
    async def either(self, value: str) -> str: ...


class Down(errors.Unavailable):
    """What is behind the port does not answer."""


class Broken(errors.OneiricError):
    """An error that no layer is told of."""


class Late(Down, TimeoutError):
    """One that is a TimeoutError as well."""


DOWN, BROKEN, LATE, UNAVAILABLE = (f"{HERE}:Down", f"{HERE}:Broken", f"{HERE}:Late", "oneiric.errors:Unavailable")


class Hang:
    """An outcome: nothing, until whoever waits is cancelled."""


class Scripted:
    """Serves the port. Each call, step and entering takes the next outcome: raises it, waits for ever or gives it."""

    def __init__(self, *outcomes: object) -> None:
        self.outcomes = list(outcomes)
        self.log: list[str] = []
        self.under_way = 0

    async def outcome(self, what: str) -> Any:
        self.log.append(what)
        outcome = self.outcomes.pop(0) if self.outcomes else what
        if outcome is Hang:
            self.under_way += 1
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.log.append(f"{what} cancelled")
                raise
            finally:
                self.under_way -= 1
        if callable(outcome):
            return await outcome()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def get(self, key: str, /, *rest: object, times: int = 1, **more: object) -> Any:
        return await self.outcome("get")

    async def find(self, name: object, flag: object = False, *, limit: object = None) -> Any:
        return await self.outcome("find")

    def later(self) -> Awaitable[str]:
        return self.outcome("later")

    async def stream(self, source: object = None) -> AsyncIterator[Any]:
        self.log.append("begun")
        try:
            while True:
                item = await self.outcome("step")
                if item == "end":
                    return
                yield item
        finally:
            self.log.append("closed")

    async def generate(self) -> AsyncGenerator[str, str]:
        sent = yield await self.outcome("first")
        while True:
            try:
                sent = yield f"got {sent}"
            except KeyError:
                sent = "error"

    @asynccontextmanager
    async def block(self, source: object = None) -> AsyncIterator[Any]:
        entered = await self.outcome("enter")
        try:
            yield entered
        except BaseException as error:
            self.log.append(f"left by {type(error).__name__}")
            raise
        await self.outcome("leave")

    def size(self) -> int:
        self.log.append("size")
        if self.outcomes and isinstance(self.outcomes[0], Exception):
            raise self.outcomes.pop(0)  # type: ignore[misc]
        return 3

    def count(self) -> Iterator[int]:
        return iter((1, 2))

    async def __call__(self, value: int) -> int:
        return value

    async def either(self, value: Any) -> Any:
        return value


class Failing:
    """An async iterator, not a generator, that fails and goes on to be there."""

    def __init__(self) -> None:
        self.closed = False

    def __aiter__(self) -> Failing:
        return self

    async def __anext__(self) -> Any:
        raise Down

    async def aclose(self) -> None:
        self.closed = True


@asynccontextmanager
async def handles(**serving: object) -> AsyncIterator[list[Any]]:
    """Live handles of the port, one for each that serves it, of a runtime of their own."""
    wiring = wiring_of(**{name: key(lambda _: None, port=f"{HERE}:Port") for name in serving})
    async with Runtime(wiring, replace={f"adapter:{name}": each for name, each in serving.items()}) as runtime:
        yield [await runtime.use("adapter", name) for name in serving]


def through(layer: Callable[[Any], Any], story: Callable[[Any, Scripted], Awaitable[T]], *outcomes: object) -> T:
    """What a story gives that is told a layer around the live handle of a script, and the script."""

    async def told() -> T:
        script = Scripted(*outcomes)
        async with handles(it=script) as (live,):
            return await story(layer(live), script)

    return run(told())
