"""Permits at what only so many may use at once."""

from __future__ import annotations

import asyncio

from oneiric.adapters._common.network import Faults
from oneiric.adapters._common.timeouts import Timeout, Timeouts


class Permits:
    """So many, first come first served: an `asyncio.Semaphore` whose free permits are taken without a coroutine."""

    def __init__(self, amount: int) -> None:
        self._amount = amount
        self._free = amount
        self._waiting = 0
        self._handed = asyncio.Semaphore(0)  # permits on their way to those who wait
        self._timeouts = Timeouts()

    def take(self) -> bool:
        """Take a permit, if one is free and nobody waits."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def wait(self) -> None:
        """Take a permit, after those who wait already."""
        self._waiting += 1
        try:
            await self._handed.acquire()
        finally:
            self._waiting -= 1

    async def wait_in_time(self, faults: Faults, setting: str, seconds: float, deadline: float | None = None) -> None:
        """Wait for a permit for one of so many connections, within the seconds of a call or by its deadline.

        Raises the port's error, which blames `setting`.
        """
        try:
            with self._timeouts.within(seconds) if deadline is None else Timeout(self._timeouts, deadline):
                await self.wait()
        except TimeoutError:
            what = f"all {self._amount} connections were busy for {seconds:g} s"
            raise faults.no_answer(what, setting) from None

    def give_back(self) -> None:
        if self._waiting:
            self._handed.release()
        else:
            self._free += 1
