from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from factories_of_classes.ports import Rows

if TYPE_CHECKING:
    from typing_extensions import Self

P = TypeVar("P", bound="Pool")


class Pool:
    def __init__(self, size: int) -> None:
        self.size = size

    async def rows(self, query: str) -> list[str]:
        return [query] * self.size

    @classmethod
    def open(cls, *, size: int = 1) -> Self:
        return cls(size)

    @classmethod
    def named(cls, size: int = 2) -> "Pool":
        return cls(size)

    @staticmethod
    def plain() -> Pool:
        return Pool(3)

    @classmethod
    async def awaited(cls, *, other: Rows) -> Self:
        return cls(len(await other.rows("a")))

    @classmethod
    @asynccontextmanager
    async def entered(cls, *, size: int = 4) -> AsyncIterator[Self]:
        yield cls(size)

    @classmethod
    def yielded(cls) -> Iterator[Self]:
        yield cls(5)

    @classmethod
    def of_type(cls: type[P]) -> P:
        return cls(6)


class Large(Pool):
    pass
