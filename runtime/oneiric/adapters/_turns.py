"""Turns at what only so many may use at once."""

from __future__ import annotations

import asyncio


class Turns:
    """So many turns, first come first served: an `asyncio.Semaphore` whose free turns are taken without a coroutine."""

    def __init__(self, amount: int) -> None:
        self._free = amount
        self._waiting = 0
        self._handed = asyncio.Semaphore(0)  # turns on their way to those who wait

    def take(self) -> bool:
        """Take a turn, if one is free and nobody waits."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def wait(self) -> None:
        """Take a turn, after those who wait already."""
        self._waiting += 1
        try:
            await self._handed.acquire()
        finally:
            self._waiting -= 1

    def give_back(self) -> None:
        if self._waiting:
            self._handed.release()
        else:
            self._free += 1
