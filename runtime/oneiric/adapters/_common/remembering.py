"""What providers have in common that send nothing: the last of what was handed to them can be read."""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import Generic, TypeVar

from oneiric.errors import AdapterError

T = TypeVar("T")


class Remembering(Generic[T]):
    """Has the last `keep` of what was sent; closed, it raises `closed`."""

    def __init__(self, keep: int, closed: type[AdapterError]) -> None:
        self._sent: deque[T] = deque(maxlen=keep)
        self._ids = count(1)
        self._error = closed
        self._closed = False

    async def health(self) -> bool:
        return not self._closed

    async def aclose(self) -> None:
        self._closed = True

    @property
    def sent(self) -> list[T]:
        """What is kept, first the first; after a close as well."""
        return list(self._sent)

    def _check_open(self) -> None:
        if self._closed:
            raise self._error("it is not open", provider="memory")

    def _keep(self, sent: T) -> str:
        """Keep it, and give it an id."""
        self._sent.append(sent)
        return str(next(self._ids))
