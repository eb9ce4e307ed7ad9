"""What is swapped: a cache whose calls take a millisecond, and fail once it is closed."""

from __future__ import annotations

import asyncio

LATENCY = 0.001  # seconds


class Cache:
    def __init__(self) -> None:
        self.closed = False

    async def get(self, key: str) -> bytes | None:
        self._fail_if_closed()
        await asyncio.sleep(LATENCY)
        self._fail_if_closed()
        return key.encode()

    async def set(self, key: str, value: bytes) -> None:
        self._fail_if_closed()

    async def aclose(self) -> None:
        self.closed = True

    def _fail_if_closed(self) -> None:
        if self.closed:
            raise ConnectionError("the cache is closed")
