"""Messages to all who listen, over a subject of core NATS: the queue `nats`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from types import MappingProxyType

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error

from oneiric.adapters.queue import Listener, Message, check_wait
from oneiric.adapters.queue._heard import Heard
from oneiric.adapters.queue._nats_connection import Connection
from oneiric.adapters.queue._nats_consumer import headers_of

_SLICE = 0.5
"""Seconds until a listener looks whether its connection is there still."""


class Fanout:
    """The subject of one queue."""

    def __init__(self, connection: Connection, subject: str) -> None:
        self._connection = connection
        self._subject = subject

    async def publish(self, body: bytes, headers: dict[str, str] | None) -> None:
        """Tell all who listen; when it returns, the server has it. Raises the errors of the SDK."""
        client = self._connection.client or await self._connection.renewed()
        await client.publish(self._subject, body, headers=headers)
        await self._sent(client)

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator[Listener, None]:
        heard = Heard()

        async def keep(message: Msg) -> None:
            heard.put(Message("", message.data, MappingProxyType(headers_of(message)), 1))

        with self._connection.errors():
            client = self._connection.client or await self._connection.renewed()
            subscription = await client.subscribe(self._subject, cb=keep)  # pyright: ignore[reportUnknownMemberType]
            await self._sent(client)
        try:
            yield _Listening(self._connection, client, heard)
        finally:
            with suppress(Error, OSError, TimeoutError):
                await subscription.unsubscribe()

    async def _sent(self, client: Client) -> None:
        """The server has what was sent. The SDK writes a PING ahead of what waits to be written, which goes out while
        the answer is awaited: the answer to a second one is to that as well."""
        for _ in range(2):
            await client.flush(self._connection.timeout)  # type: ignore[arg-type]  # any number does


class _Listening:
    def __init__(self, connection: Connection, client: Client, heard: Heard) -> None:
        self._connection = connection
        self._client = client
        self._heard = heard

    async def next(self, *, wait: float = 10.0) -> Message | None:
        check_wait(wait)
        end = asyncio.get_running_loop().time() + wait
        while True:
            left = max(end - asyncio.get_running_loop().time(), 0.0)
            found = await self._heard.next(wait=min(left, _SLICE))
            if found is not None:
                return found
            self._connection.refuse_when_closed()
            if self._client.is_closed:
                raise self._connection.failure(ConnectionResetError("the connection broke"))
            if left <= _SLICE:
                return None
