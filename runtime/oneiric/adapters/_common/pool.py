"""Connections to a server that a component keeps: what providers with a pool of their own have in common.

A call, or several that belong together, has a connection to itself. A connection whose call was cancelled, came too
late or may have changed the session is not used again.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, Generic, NamedTuple, TypeVar

from oneiric.adapters._common.finish import finish
from oneiric.adapters._common.network import Faults
from oneiric.adapters._common.permits import Permits
from oneiric.adapters._common.timeouts import Timeout, Timeouts
from oneiric.errors import AdapterError


class Limits(NamedTuple):
    """Connections, and seconds."""

    min_connections: int
    max_connections: int
    connect_timeout: float
    timeout: float
    healthcheck_timeout: float

    def check(self, faults: Faults) -> None:
        """Raise the port's error where they make no sense."""
        faults.check_above_zero(
            max_connections=self.max_connections,
            connect_timeout=self.connect_timeout,
            timeout=self.timeout,
            healthcheck_timeout=self.healthcheck_timeout,
        )
        if not 0 <= self.min_connections <= self.max_connections:
            raise faults.no_sense(
                f"{self.min_connections} is not 0 to max_connections, which is {self.max_connections}",
                "min_connections",
            )


class Link(ABC):
    """One connection of an SDK, in the hands of one call at a time. It raises errors of the port only."""

    def __init__(self, pool: Pool[Any]) -> None:
        self.is_touched = False  # the session of the server is no longer as new
        self._pool = pool
        self._turn = asyncio.Lock()
        self._timeout: Timeout | None = None
        self._is_given_up = False

    @property
    @abstractmethod
    def is_open(self) -> bool: ...

    @property
    @abstractmethod
    def in_transaction(self) -> bool: ...

    @abstractmethod
    async def _close(self) -> None:
        """Close the session; the server rolls an open transaction back."""

    @abstractmethod
    async def _abandon(self) -> None:
        """End what the server still does for this connection and wait until it is over; cancelled when it takes
        too long."""

    @abstractmethod
    def cut(self) -> None:
        """Drop the connection at once."""

    @property
    def is_clean(self) -> bool:
        """Whether somebody else may use the connection now."""
        return not self.is_touched and not self._is_given_up and self.is_open and not self.in_transaction

    async def close(self) -> None:
        """Give the connection up, and end what runs on it."""
        self._is_given_up = True
        if self._timeout is not None:
            self._timeout.end()
        async with self._turn:
            await self._end(self._close())

    async def _in_time(self, work: Awaitable[Result]) -> Result:
        """What comes of a call on this connection within the timeout, for who has the turn."""
        pool = self._pool
        try:
            with pool.timeouts.within(pool.limits.timeout) as self._timeout:
                try:
                    return await work
                finally:
                    self._timeout = None
        except TimeoutError:
            await finish(self._give_up())
            raise pool.late() from None
        except asyncio.CancelledError:
            await finish(self._give_up())
            raise
        except pool.faults.unavailable as error:
            self.cut()  # who knows what comes next on it
            raise pool.broken(error) from None

    async def _give_up(self) -> None:
        self._is_given_up = True
        await self._end(self._abandon())

    async def _end(self, work: Awaitable[None]) -> None:
        with suppress(AdapterError, TimeoutError):
            async with asyncio.timeout(self._pool.limits.healthcheck_timeout):
                await work
        self.cut()


Result = TypeVar("Result")
L = TypeVar("L", bound=Link)


class Pool(ABC, Generic[L]):
    """Connections that `_connect` opens, at most `limits.max_connections` at a time.

    `place` is where the server is, `setting` says so.
    """

    def __init__(self, faults: Faults, limits: Limits, place: str, setting: str) -> None:
        limits.check(faults)
        self.faults = faults
        self.limits = limits
        self.timeouts = Timeouts()
        self._place = place
        self._setting = setting
        self._opened = False
        self._permits = Permits(limits.max_connections)
        self._idle: list[L] = []
        self._busy: set[L] = set()

    @abstractmethod
    async def _connect(self) -> L:
        """Open a connection or raise an error of the port; cancelled when it takes too long."""

    @abstractmethod
    async def _look(self) -> None:
        """Ask the server for next to nothing."""

    @abstractmethod
    def closed(self) -> AdapterError:
        """The error of what is closed, or not started."""

    async def start(self) -> None:
        self._opened = True
        while len(self._idle) < self.limits.min_connections:
            self._idle.append(await self._new_link())
        await self._look_in_time()

    async def health(self) -> bool:
        try:
            await self._look_in_time()
        except AdapterError:
            return False
        return True

    async def aclose(self) -> None:
        """Close at once: what still runs is ended, open transactions are rolled back."""
        self._opened = False
        idle, self._idle = self._idle, []
        await finish(asyncio.gather(*(link.close() for link in (*idle, *self._busy))))

    def no_answer(self, what: str) -> AdapterError:
        """The error for a server that cannot be reached or talks nonsense."""
        return self.faults.no_answer(f"{self._place}: {what}", self._setting)

    def late(self) -> AdapterError:
        """The error of a call that took too long, or was ended by `aclose`."""
        if not self._opened:
            return self.closed()
        return self.faults.no_answer(f"no answer in {self.limits.timeout:g} s", "timeout")

    def broken(self, error: AdapterError) -> AdapterError:
        """The error of a call whose connection broke."""
        return error if self._opened else self.closed()

    async def _look_in_time(self) -> None:
        """See that the server answers in time."""
        try:
            async with asyncio.timeout(self.limits.healthcheck_timeout):
                await self._look()
        except TimeoutError:
            raise self.no_answer(f"no answer in {self.limits.healthcheck_timeout:g} s") from None

    async def _take(self) -> L:
        """A connection for whoever may use one now."""
        if not self._opened:
            raise self.closed()
        if not self._permits.take():
            await self._permits.wait_in_time(self.faults, "max_connections", self.limits.connect_timeout)
        try:
            link = self._rested() or await self._new_link()
        except BaseException:
            self._permits.give_back()
            raise
        self._busy.add(link)
        return link

    def _rested(self) -> L | None:
        """A connection that nobody uses, if there is one."""
        while self._idle:
            link = self._idle.pop()
            if link.is_open:
                return link
            link.cut()
        return None

    async def _new_link(self) -> L:
        try:
            async with asyncio.timeout(self.limits.connect_timeout):
                link = await self._connect()
        except TimeoutError:
            raise self.no_answer(f"no connection in {self.limits.connect_timeout:g} s") from None
        if not self._opened:
            link.cut()
            raise self.closed()
        return link

    async def _give_back(self, link: L) -> None:
        try:
            if link.is_clean and self._opened:
                self._idle.append(link)
            else:
                await finish(link.close())
        finally:
            self._busy.discard(link)
            self._permits.give_back()
