from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

from oneiric import component

from shop.marks import entered


@component("adapter", "a", provider="p")
@asynccontextmanager
async def pool() -> AsyncIterator[str]:
    yield "pool"


@component("adapter", "b", provider="p")
@contextmanager
def lock() -> Iterator[str]:
    yield "lock"


@component("adapter", "c", provider="p")
def rows():
    yield 1


@component("adapter", "d", provider="p")
async def stream():
    yield 1


@component("adapter", "e", provider="p")
def opened() -> "AbstractAsyncContextManager[str]":
    return pool()


@component("adapter", "f", provider="p")
@entered
def unknown() -> Iterator[str]:
    yield "what a decorator makes of it is not known"
