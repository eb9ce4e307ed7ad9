"""Messages to all who listen, over an exchange: the queue `rabbitmq`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from aio_pika import Connection as Client
from aiormq.abc import AbstractChannel, DeliveredMessage

from oneiric.adapters.queue import Listener, Message
from oneiric.adapters.queue._heard import MOST, Heard
from oneiric.adapters.queue._rabbitmq_channel import announce
from oneiric.adapters.queue._rabbitmq_connection import Connection
from oneiric.adapters.queue._rabbitmq_consumer import headers_of


@asynccontextmanager
async def listening(connection: Connection, exchange: str) -> AsyncGenerator[Listener, None]:
    """Hear what the exchange gets, by a queue that is gone with this block or with the connection."""
    heard = Heard()
    channel: AbstractChannel | None = None

    async def keep(came: DeliveredMessage) -> None:
        heard.put(Message("", came.body, MappingProxyType(headers_of(came)), 1))

    def broke(closing: asyncio.Future[Any]) -> None:
        error = None if closing.cancelled() else closing.exception()
        heard.end(connection.failure(error or ConnectionResetError("the channel was closed")))

    async def begin(client: Client) -> None:
        nonlocal channel
        opened = await client.channel(publisher_confirms=False)
        channel = await opened.get_underlay_channel()
        channel.closing.add_done_callback(broke)  # pyright: ignore[reportUnknownMemberType]
        await announce(channel, exchange)
        queue = f"{exchange}.{uuid4().hex}"
        most: dict[str, Any] = {"x-max-length": MOST}
        await channel.queue_declare(queue, exclusive=True, auto_delete=True, arguments=most)
        await channel.queue_bind(queue, exchange)
        await channel.basic_consume(queue, keep, no_ack=True)

    try:
        with connection.errors():
            await connection.ask(begin(await connection.renewed()))
        yield heard
    finally:
        if channel is not None:
            with suppress(*Connection.broken):
                await connection.ask(channel.close())
