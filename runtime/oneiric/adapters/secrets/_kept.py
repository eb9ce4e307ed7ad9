"""What was read is kept for a while, and who asks for the same meanwhile shares one reading."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")
_MOST = 10_000


class Kept(Generic[T]):
    """What `read` gives, by place, for `ttl` seconds. Errors are not kept. With a `ttl` of 0 every call reads."""

    def __init__(self, ttl: float, read: Callable[[str], Awaitable[T]]) -> None:
        self._ttl = ttl
        self._read = read
        self._kept: dict[str, tuple[float, T]] = {}
        self._readings: dict[str, _Reading[T]] = {}

    async def get(self, place: str) -> T:
        """What is at a place. Raises what reading it does."""
        if not self._ttl:
            return await self._read(place)
        kept = self._kept.get(place)
        if kept is not None and kept[0] > asyncio.get_running_loop().time():
            return kept[1]
        reading = self._readings.get(place)
        if reading is None or reading.over:
            reading = self._readings[place] = _Reading(asyncio.ensure_future(self._read_into(self._kept, place)))
        return await reading.outcome()

    def forget(self) -> None:
        """Keep nothing of what was read, or is being read."""
        self._kept, self._readings = {}, {}

    async def _read_into(self, kept: dict[str, tuple[float, T]], place: str) -> T:
        value = await self._read(place)
        kept.pop(place, None)
        kept[place] = asyncio.get_running_loop().time() + self._ttl, value
        if len(kept) > _MOST:
            del kept[next(iter(kept))]
        return value


class _Reading(Generic[T]):
    """One reading and those who wait for it. Without anyone it is cancelled, and over for those who come then."""

    def __init__(self, task: asyncio.Future[T]) -> None:
        self._task = task
        self._waiters = 0
        self._given_up = False

    @property
    def over(self) -> bool:
        return self._given_up or self._task.done()

    async def outcome(self) -> T:
        self._waiters += 1
        try:
            await asyncio.wait((self._task,))
        finally:
            self._waiters -= 1
            if not self._waiters and not self._task.done():
                self._given_up = True
                self._task.cancel()
                await asyncio.wait((self._task,))
        return self._task.result()
