from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager

from oneiric import Secret, component

from factories_entered.marks import entered
from factories_entered.ports import Rows


class Pool:
    def __init__(self, size: int) -> None:
        self.size = size

    async def rows(self, query: str) -> list[str]:
        return [query] * self.size


@component("adapter", "asynccontextmanager", provider="p", port="factories_entered.ports:Rows")
@asynccontextmanager
async def pool(*, size: int, password: Secret | None = None) -> AsyncIterator[Pool]:
    yield Pool(size)


@component("adapter", "contextmanager", provider="p", port="factories_entered.ports:Rows")
@contextmanager
def lock(*, size: int = 1) -> Iterator[Pool]:
    yield Pool(size)


@component("adapter", "generator", provider="p")
def generator(*, size: int = 1) -> Generator[Pool, None, None]:
    try:
        yield Pool(size)
    finally:
        print("closed")


@component("adapter", "async-generator", provider="p", needs={"rows": "adapter:generator"})
async def async_generator(*, rows: Rows) -> AsyncGenerator["Pool", None]:
    if await rows.rows("a"):
        yield Pool(1)
    else:
        yield Pool(2)


@component("adapter", "iterator", provider="p")
def delegating() -> Iterator[Pool]:
    return generator(size=2)


@component("adapter", "manager", provider="p")
def manager() -> AbstractContextManager[Pool]:
    return lock()


@component("adapter", "async-manager", provider="p")
def async_manager() -> "AbstractAsyncContextManager[Pool]":
    return pool(size=3)


@component("adapter", "text", provider="p")
def text() -> Iterator[str]:
    yield "no class is in sight"


@component("adapter", "decorated", provider="p")
@entered
def unknown() -> Iterator[str]:
    yield "what a decorator makes of it is not known"
