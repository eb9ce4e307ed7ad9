from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

from oneiric import component


class Pool:
    def rows(self, query: str) -> list[str]:
        return [query]


@component("adapter", "async-under-sync", provider="p")
@contextmanager
async def async_under_sync() -> AsyncIterator[Pool]:
    yield Pool()


@component("adapter", "sync-under-async", provider="p")
@asynccontextmanager
def sync_under_async() -> Iterator[Pool]:
    yield Pool()


@component("adapter", "coroutine", provider="p")
@asynccontextmanager
async def coroutine() -> AsyncIterator[Pool]:
    return Pool()


@component("adapter", "awaited", provider="p")
async def awaited() -> AbstractAsyncContextManager[Pool]:
    return sync_under_async()


@component("adapter", "never", provider="p")
@contextmanager
def never() -> Iterator[Pool]:
    print("set up")


@component("adapter", "twice", provider="p")
def twice(*, first: bool = True) -> Iterator[Pool]:
    if first:
        yield Pool()
    else:
        yield Pool()
    with open("x"):
        yield Pool()


@component("adapter", "one-way", provider="p")
async def one_way(*, first: bool = True) -> AsyncIterator[Pool]:
    if first:
        yield Pool()
        return
    yield Pool()


@component("adapter", "misfit", provider="p", port="shop.ports:Rows")
def misfit() -> Iterator[Pool]:
    yield Pool()
