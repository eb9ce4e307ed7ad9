"""The parts of a small application: ports, components that note what happens to them."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from oneiric import Secret


class Tracked:
    """Notes every instance made and every close."""

    made: list[Tracked]
    closed: list[Tracked]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        instance = super().__new__(cls)
        Tracked.made.append(instance)
        return instance

    async def aclose(self) -> None:
        Tracked.closed.append(self)


Tracked.made, Tracked.closed = [], []


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Database(Protocol):
    async def fetch(self, sql: str, parameters: tuple[object, ...] = ()) -> list[str]: ...
    def rows(self, count: int, *, fail_at: int | None = None) -> AsyncIterator[int]: ...
    def transaction(self) -> AbstractAsyncContextManager[str]: ...
    def names(self) -> Iterator[str]: ...
    def locked(self) -> AbstractContextManager[str]: ...
    def size(self) -> int: ...


class Cache(Protocol):
    async def get(self, key: str) -> bytes | None: ...
    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None: ...


class Secrets(Protocol):
    async def get(self, name: str) -> Secret: ...


class Checkout(Protocol):
    async def total(self, basket: str) -> int: ...


class Sqlite(Tracked):
    def __init__(self, *, path: Path = Path(":memory:")) -> None:
        self.path = path

    async def fetch(self, sql: str, parameters: tuple[object, ...] = ()) -> list[str]:
        return [sql, *map(str, parameters)]

    async def rows(self, count: int, *, fail_at: int | None = None) -> AsyncIterator[int]:
        for number in range(count):
            if number == fail_at:
                raise ValueError("row")
            yield number

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[str]:
        yield "transaction"

    def names(self) -> Iterator[str]:
        yield from ("a", "b")

    @contextmanager
    def locked(self) -> Iterator[str]:
        yield "locked"

    def size(self) -> int:
        return 3


class Store(Tracked):
    """Empty, so it is falsy: an instance all the same."""

    def __init__(self, *, url: str, password: Secret, port: int, database: Database, color: Color = Color.RED) -> None:
        self.url, self.password, self.port, self.database, self.color = url, password, port, database, color
        self.values: dict[str, bytes] = {}

    def __len__(self) -> int:
        return 0

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        self.values[key] = value


class Vault(Tracked):
    def __init__(self, *, prefix: str = "") -> None:
        self.prefix = prefix
        self.asked: list[str] = []

    async def get(self, name: str) -> Secret:
        self.asked.append(name)
        return Secret(f"{self.prefix}{name}-value")


class Till(Tracked):
    def __init__(self, *, cache: Cache) -> None:
        self.cache = cache

    async def total(self, basket: str) -> int:
        return len(await self.cache.get(basket) or b"")


async def make_till(*, cache: Cache) -> Till:
    return Till(cache=cache)
