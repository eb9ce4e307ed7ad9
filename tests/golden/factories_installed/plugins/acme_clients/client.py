from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

C = TypeVar("C", bound="Client")


class Client:
    def __init__(self, *, url: str = "http://localhost", retries: int = 3) -> None: ...

    async def rows(self, query: str) -> list[str]:
        return [query]

    @classmethod
    def from_url(cls: type[C], url: str, *, retries: int = 3) -> C:
        return cls(url=url, retries=retries)


@contextmanager
def connect(*, url: str = "http://localhost") -> Iterator[Client]:
    yield Client(url=url)
