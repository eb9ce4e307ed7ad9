"""Turns at what only so many may use at once."""

from __future__ import annotations

import asyncio

from oneiric.adapters._common.deadlines import Deadline, Deadlines
from oneiric.adapters._common.network import Faults


class Turns:
    """So many turns, first come first served: an `asyncio.Semaphore` whose free turns are taken without a coroutine."""

    def __init__(self, amount: int) -> None:
        self._amount = amount
        self._free = amount
        self._waiting = 0
        self._handed = asyncio.Semaphore(0)  # turns on their way to those who wait
        self._deadlines = Deadlines()

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

    async def wait_in_time(self, faults: Faults, setting: str, seconds: float, deadline: float | None = None) -> None:
        """Wait for a turn at one of so many connections, within the seconds of a call or by its deadline.

        Raises the port's error, which blames `setting`.
        """
        try:
            with self._deadlines.within(seconds) if deadline is None else Deadline(self._deadlines, deadline):
                await self.wait()
        except TimeoutError:
            what = f"all {self._amount} connections were busy for {seconds:g} s"
            raise faults.no_answer(what, setting) from None

    def give_back(self) -> None:
        if self._waiting:
            self._handed.release()
        else:
            self._free += 1
