"""What providers do with data that comes or goes in pieces."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import ClassVar

from oneiric.adapters.storage import (
    InvalidObject,
    ObjectNotFound,
    ObjectReplaced,
    PreconditionFailed,
    check_data,
    check_name,
    check_range,
)

NO_PREFIX = re.compile("[\\\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""What no name has, and servers stumble over."""
_TIMES = 5  # an object is read again when it is replaced meanwhile


async def regrouped(data: AsyncIterator[bytes], size: int) -> AsyncGenerator[bytes, None]:
    """The same data in pieces of `size` bytes, but for the last. Raises `InvalidObject` for what is no bytes."""
    if not hasattr(data, "__anext__"):
        raise InvalidObject(f"data is an async iterator of bytes, not {type(data).__name__}")
    held = bytearray()
    async for piece in data:
        check_data(piece)
        if not held and len(piece) == size:
            yield piece
            continue
        view = memoryview(piece)
        while len(held) + len(view) >= size:
            fits = size - len(held)
            held += view[:fits]
            view = view[fits:]
            yield bytes(held)
            held.clear()
        held += view
    if held:
        yield bytes(held)


async def read_in_parts(
    name: str,
    part: Callable[[int, int, str], Awaitable[tuple[bytes, str, int]]],
    size: int,
    provider: str,
    start: int = 0,
    stop: int | None = None,
) -> AsyncGenerator[bytes, None]:
    """The data of one version, or the bytes of a range, each part of at most `size` bytes by a request of its own.

    `part` gives, for the range of a part and the etag to expect (none for the first), what the server has of it, with
    the object's etag and size; it raises `PreconditionFailed` or `ObjectNotFound` for another version.
    """
    etag, end, first = "", start + 1 if stop is None else stop, True
    while first or start < end:
        try:
            data, etag, total = await part(start, start + size if stop is None else min(start + size, stop), etag)
        except (PreconditionFailed, ObjectNotFound):
            if first:
                raise
            raise ObjectReplaced(name, provider=provider) from None
        end = total if stop is None else min(stop, total)
        if data:
            yield data
        start += size
        first = False


class InParts(ABC):
    """Reads of a provider whose objects come in parts."""

    _provider: ClassVar[str]

    @abstractmethod
    def _parts(self, name: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """The data of one version; see `read_in_parts`."""

    async def get(self, name: str) -> bytes:
        check_name(name)
        for _ in range(_TIMES):
            try:
                return b"".join([part async for part in self._parts(name)])
            except ObjectReplaced:
                continue
        raise ObjectReplaced(name, provider=self._provider)

    async def stream(
        self, name: str, *, start: int = 0, stop: int | None = None, chunk_size: int = 65536
    ) -> AsyncIterator[bytes]:
        check_name(name)
        check_range(start, stop, chunk_size)
        async with aclosing(self._parts(name, start, stop)) as parts:
            async for part in parts:
                for begin in range(0, len(part), chunk_size):
                    yield part[begin : begin + chunk_size]
