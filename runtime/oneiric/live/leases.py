"""Leases: of a slot, and those that iterators and context managers hold which calls through `live` give.

Each of these keeps the lease of the instance it came from until it is over: exhausted, closed, left or dropped.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from types import AsyncGeneratorType, TracebackType
from typing import Any, NoReturn, Self, TypeAlias, TypeVar

from oneiric.errors import DrainExpired
from oneiric.lifecycle.activation import activate
from oneiric.lifecycle.closing import expired
from oneiric.slot import Held, Slot

T = TypeVar("T")
Raised: TypeAlias = "tuple[type[BaseException] | None, BaseException | None, TracebackType | None]"


class Lease:
    """One lease. Dropped without an end it is given back, after closing what was under way."""

    __slots__ = ("_held", "_under_way")

    def __init__(self, held: Held, under_way: Any = None) -> None:
        held.leases += 1
        self._held: Held | None = held
        self._under_way = under_way

    def end(self) -> None:
        """Give it back; a second time does nothing."""
        held, self._held = self._held, None
        self._under_way = None
        if held is not None:
            held.give_back()

    def refusal(self) -> DrainExpired | None:
        """Why what holds this may not go on: its instance was closed meanwhile."""
        held = self._held
        return (
            expired(held, "closed at the drain deadline, while this was under way") if held and held.expired else None
        )

    def check(self) -> None:
        """Raises `DrainExpired` where the instance was closed meanwhile."""
        refusal = self.refusal()
        if refusal is not None:
            raise refusal

    @contextmanager
    def leaving(self, *raised: Any) -> Generator[Raised]:
        """Around a context manager's exit, which ends the lease: what to tell it. One whose instance was closed
        meanwhile must not take its block for done; `DrainExpired` is raised then, unless the block itself raised."""
        refusal = None if raised[0] is not None else self.refusal()
        try:
            if refusal is None:
                yield raised
                return
            try:
                yield type(refusal), refusal, None
            except Exception as error:
                if error is not refusal:
                    raise refusal from error
            raise refusal
        finally:
            self.end()

    def __del__(self) -> None:
        held = self._held
        if held is None:
            return
        loop = held.slot.scope.host.loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(_dropped, held, self._under_way)


def _dropped(held: Held, under_way: Any) -> None:
    if inspect.isasyncgen(under_way):
        held.slot.scope.host.spawn(_close_dropped(held, under_way))
    else:
        held.give_back()


async def _close_dropped(held: Held, generator: AsyncGeneratorType[Any, Any]) -> None:
    try:
        await generator.aclose()
    finally:
        held.give_back()


class SlotLease(AbstractAsyncContextManager[T]):
    """`async with slot.lease() as instance`."""

    __slots__ = ("_leases", "_slot")

    def __init__(self, slot: Slot[T]) -> None:
        self._slot = slot
        self._leases: list[Lease] = []

    async def __aenter__(self) -> T:
        held = await activate(self._slot.home)
        self._leases.append(Lease(held))
        instance: T = held.instance
        return instance

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leases.pop().end()


class LeasedAsyncContext(AbstractAsyncContextManager[Any]):
    """An async context manager that a call gives: made on entering, leased until the exit."""

    __slots__ = ("_inner", "_lease", "_make", "_slot")

    def __init__(self, slot: Slot[Any], make: Callable[[Any], AbstractAsyncContextManager[Any]]) -> None:
        self._slot = slot
        self._make = make
        self._lease: Lease | None = None

    async def __aenter__(self) -> Any:
        held = await activate(self._slot)
        if self._lease is not None:
            raise RuntimeError("this context is entered already")
        lease = self._lease = Lease(held)
        try:
            self._inner = self._make(held.instance)
            return await self._inner.__aenter__()
        except BaseException:
            self._lease = None
            lease.end()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        lease = self._lease
        if lease is None:
            raise RuntimeError("this context is not entered")
        self._lease = None
        with lease.leaving(kind, error, trace) as raised:
            return await self._inner.__aexit__(*raised)


class LeasedAsyncIterator(AsyncIterator[Any]):
    """An async iterator or generator that a call gives: made by the first step, leased until it is over."""

    __slots__ = ("_inner", "_lease", "_make", "_over", "_slot")

    def __init__(self, slot: Slot[Any], make: Callable[[Any], AsyncIterable[Any]]) -> None:
        self._slot = slot
        self._make = make
        self._inner: Any = None
        self._lease: Lease | None = None
        self._over = False

    @classmethod
    def begun(cls, held: Held, inner: AsyncIterator[Any]) -> Self:
        """One that the instance has made already."""
        leased = cls(held.slot, lambda _: inner)
        leased._begin(held)
        return leased

    def _begin(self, held: Held) -> None:
        self._inner = aiter(self._make(held.instance))
        self._lease = Lease(held, self._inner)

    def _end(self) -> None:
        self._over = True
        if self._lease is not None:
            self._lease.end()

    async def _step(self, step: Callable[[Any], Awaitable[Any]]) -> Any:
        if self._inner is None and not self._over:
            held = await activate(self._slot)
            if self._inner is None:
                self._begin(held)
        if self._over or self._lease is None:
            raise StopAsyncIteration
        refusal = self._lease.refusal()
        if refusal is not None:
            await self._close_for(refusal)
        try:
            return await step(self._inner)
        except StopAsyncIteration:
            self._end()
            raise
        except BaseException:
            if getattr(self._inner, "ag_frame", self._inner) is None:
                self._end()
            raise

    async def _close_for(self, refusal: DrainExpired) -> NoReturn:
        try:
            await self.aclose()
        except Exception as error:
            raise refusal from error
        raise refusal

    async def __anext__(self) -> Any:
        return await self._step(lambda inner: inner.__anext__())

    async def asend(self, value: Any) -> Any:
        """The next item, after sending `value` to the generator."""
        return await self._step(lambda inner: inner.asend(value))

    async def athrow(self, *error: Any) -> Any:
        """The next item, after throwing an error into the generator."""
        return await self._step(lambda inner: inner.athrow(*error))

    async def aclose(self) -> None:
        """Close the generator, or just end the lease of an iterator that cannot be closed."""
        aclose = None if self._over else getattr(self._inner, "aclose", None)
        if aclose is not None:
            try:
                await aclose()
            except BaseException:
                if getattr(self._inner, "ag_frame", None) is None:
                    self._end()
                raise
        self._end()


class LeasedIterator(Iterator[Any]):
    """An iterator or generator that a call gave, leased until it is over."""

    __slots__ = ("_inner", "_lease")

    def __init__(self, held: Held, inner: Iterator[Any]) -> None:
        self._inner: Any = inner
        self._lease = Lease(held, inner)

    def _step(self, step: Callable[..., Any], *arguments: Any) -> Any:
        refusal = self._lease.refusal()
        if refusal is not None:
            self._close_for(refusal)
        try:
            return step(*arguments)
        except StopIteration:
            self._lease.end()
            raise
        except BaseException:
            if getattr(self._inner, "gi_frame", self._inner) is None:
                self._lease.end()
            raise

    def _close_for(self, refusal: DrainExpired) -> NoReturn:
        try:
            self.close()
        except Exception as error:
            raise refusal from error
        raise refusal

    def __next__(self) -> Any:
        return self._step(self._inner.__next__)

    def send(self, value: Any) -> Any:
        """The next item, after sending `value` to the generator."""
        return self._step(self._inner.send, value)

    def throw(self, *error: Any) -> Any:
        """The next item, after throwing an error into the generator."""
        return self._step(self._inner.throw, *error)

    def close(self) -> None:
        """Close the generator, or just end the lease of an iterator that cannot be closed."""
        try:
            close = getattr(self._inner, "close", None)
            if close is not None:
                close()
        finally:
            self._lease.end()
