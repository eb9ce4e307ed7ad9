"""Entries of a Redis server that this process keeps for as long as the server says that they hold.

The server tells one connection of every change under the prefix (`CLIENT TRACKING` in broadcasting mode), whoever makes
it. While that connection is there, what was read is kept; when it breaks or is silent, all of it is forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from oneiric.adapters._common.network import cancellations
from oneiric.adapters._common.redis import RedisServer, drop
from oneiric.errors import AdapterError

_CHANNEL = "__redis__:invalidate"
_FIRST_WAIT, _LAST_WAIT = 0.05, 2.0  # seconds until the next attempt to connect, doubled each time


class _Kept(NamedTuple):
    value: bytes
    end: float


class _Read:
    """Reads of one name that are under way, and were overtaken by no change."""

    users = 0


class Near:
    """At most `most` entries, of `size` bytes together, the least recently used leaving first.

    A connection on which nothing comes for `silence` seconds, not even the answer to a ping, counts as broken.
    """

    def __init__(self, server: RedisServer, prefix: str, *, most: int, size: int, silence: float) -> None:
        self._server = server
        self._prefix = prefix
        self._most = most
        self._size = size
        self._silence = silence
        self._kept: dict[str, _Kept] = {}  # the least recently used first
        self._bytes = 0
        self._reads: dict[str, _Read] = {}
        self._told = False  # whether changes are told now
        self._connection: Any = None  # on which they are told
        self._watch: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Have the server tell of changes. Raises the errors of the port."""
        self._connection = await self._listening()
        self._watch = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Forget all, and keep nothing more."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
        self._told = False
        self.forget()
        connection, self._connection = self._connection, None
        if connection is not None:
            await drop(connection)
        if watch is not None:
            await asyncio.wait([watch])

    def known(self, name: str) -> bytes | None:
        """The value, where it is kept."""
        kept = self._kept.get(name)
        if kept is None:
            return None
        if kept.end <= monotonic():
            self._remove(name)
            return None
        self._kept[name] = self._kept.pop(name)
        return kept.value

    async def get(self, name: str) -> bytes | None:
        """The value that is kept, else the server's, which is kept unless a change was told meanwhile."""
        known = self.known(name)
        if known is not None:
            return known
        read = self._reads.setdefault(name, _Read())
        read.users += 1
        try:
            asked = monotonic()
            value: bytes | None
            value, left = await self._server.run_together(("GET", name), ("PTTL", name))
            if value is not None and self._told and self._reads.get(name) is read:
                self._keep(name, _Kept(value, inf if left < 0 else asked + left / 1000))
            return value
        finally:
            read.users -= 1
            if not read.users and self._reads.get(name) is read:
                del self._reads[name]

    def drop(self, names: Iterable[str]) -> None:
        """Forget these, also where a read of them is under way."""
        for name in names:
            self._reads.pop(name, None)
            self._remove(name)

    def forget(self) -> None:
        """Forget all."""
        self._reads.clear()
        self._kept.clear()
        self._bytes = 0

    def _keep(self, name: str, kept: _Kept) -> None:
        self._remove(name)
        self._kept[name] = kept
        self._bytes += len(name) + len(kept.value)
        while len(self._kept) > self._most or self._bytes > self._size:
            self._remove(next(iter(self._kept)))

    def _remove(self, name: str) -> None:
        kept = self._kept.pop(name, None)
        if kept is not None:
            self._bytes -= len(name) + len(kept.value)

    async def _follow(self) -> None:
        wait = _FIRST_WAIT
        while not cancellations():  # the SDK may forget one
            connection = self._connection
            if connection is not None:
                wait = _FIRST_WAIT
                self.forget()  # also reads under way: what changed before was told to nobody
                self._told = True
                await self._listen(connection)
                self._told = False
                self.forget()
                self._connection = None
                await drop(connection)
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LAST_WAIT)
            with suppress(AdapterError):
                self._connection = await self._listening()
        if self._connection is not None:
            await drop(self._connection)

    async def _listen(self, connection: Any) -> None:
        """Forget what the server says has changed, until the connection breaks or is silent."""
        asked = False
        with suppress(RedisError, OSError):
            while not cancellations():
                said: list[Any] | None = await connection.read_response(timeout=self._silence / 2)
                if said is not None:
                    asked = False
                    self._hear(said)
                elif asked:
                    return
                else:
                    asked = True
                    await connection.send_command("PING")

    def _hear(self, said: list[Any]) -> None:
        if said[0] != b"message":
            return
        names: list[bytes] | None = said[2]
        if names is None:  # the whole database was emptied
            self.forget()
        else:
            self.drop(name.decode(errors="replace") for name in names)

    async def _listening(self) -> Any:
        prefix = ("PREFIX", self._prefix) if self._prefix else ()
        return await self._server.listening(_CHANNEL, "CLIENT", "TRACKING", "ON", "BCAST", *prefix, "REDIRECT")
