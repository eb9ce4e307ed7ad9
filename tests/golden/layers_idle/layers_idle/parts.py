"""Ports of which a built-in layer does something around no method, and around one."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, AbstractAsyncContextManager
from typing import Protocol

from oneiric import component


class Clock(Protocol):
    def now(self) -> float: ...
    def ticks(self) -> Iterator[float]: ...


class Feed(Protocol):
    def lines(self) -> "AsyncIterator[str]": ...


class Read(Protocol):
    def reading(self) -> AbstractAsyncContextManager[str]: ...


class Made(Protocol):
    @asynccontextmanager
    def made(self) -> AsyncIterator[str]: ...


@component("service", "clock", provider="plain", port="layers_idle.parts:Clock")
class Plain:
    def now(self) -> float:
        return 0.0

    def ticks(self) -> Iterator[float]:
        yield 0.0


@component("service", "clock", provider="own", layer=True)
class Own:
    def __init__(self, *, inner: Clock) -> None:
        self.inner = inner

    def now(self) -> float:
        return self.inner.now()

    def ticks(self) -> Iterator[float]:
        return self.inner.ticks()


@component("service", "feed", provider="plain", port="layers_idle.parts:Feed")
class Lines:
    async def lines(self) -> AsyncIterator[str]:
        yield ""


@component("service", "read", provider="plain", port="layers_idle.parts:Read")
class Reading:
    @asynccontextmanager
    async def reading(self) -> AsyncIterator[str]:
        yield ""


@component("service", "made", provider="plain", port="layers_idle.parts:Made")
class Making:
    @asynccontextmanager
    async def made(self) -> AsyncIterator[str]:
        yield ""
