"""A channel of the queue `rabbitmq`, and what is declared and published over one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from uuid import uuid4

from aio_pika import Connection as Client
from aiormq.abc import AbstractChannel
from aiormq.exceptions import PublishError
from pamqp.commands import Basic

from oneiric.adapters.queue._rabbitmq_connection import Connection

_NEVER = 2**31 - 1  # deliveries after which the server drops a message; by default since 4.0 it is 20
_KEPT = 2  # the delivery mode of messages that outlive the server


class Channel:
    """A channel that is opened when it is needed, and again where it broke; `prepare` gets it before anybody else."""

    def __init__(
        self,
        connection: Connection,
        prepare: Callable[[AbstractChannel], Awaitable[None]] | None = None,
        *,
        confirms: bool = False,
    ) -> None:
        self._connection = connection
        self._prepare = prepare
        self._confirms = confirms
        self._channel: AbstractChannel | None = None
        self._turn = asyncio.Lock()

    async def opened(self) -> AbstractChannel:
        """The SDK's channel of now."""
        channel = self._channel
        if channel is None or not self.is_open(channel):
            async with self._turn:
                channel = self._channel
                if channel is None or not self.is_open(channel):
                    client = await self._connection.renewed()
                    channel = await self._connection.ask(self._open(client))
        return channel

    def is_open(self, channel: AbstractChannel) -> bool:
        return not channel.is_closed and channel.connection is self._connection.line

    def replace(self, channel: AbstractChannel, after: float) -> None:
        """Use it no more, and close it when what is under way there has had so many seconds."""

        async def close() -> None:
            await asyncio.sleep(after)
            await channel.close()

        if self._channel is channel and self.is_open(channel):
            self._channel = None
            self._connection.beside(close())

    async def _open(self, client: Client) -> AbstractChannel:
        opened = await client.channel(publisher_confirms=self._confirms, on_return_raises=self._confirms)
        channel = await opened.get_underlay_channel()
        if self._prepare is not None:
            await self._prepare(channel)
        self._channel = channel
        return channel


async def declare(channel: AbstractChannel, name: str) -> None:
    """See that the queue is there, and is one of this sort."""
    await channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": _NEVER})


async def exists(channel: AbstractChannel, name: str) -> None:
    """Raise the SDK's error unless the queue is there, and answers."""
    await channel.queue_declare(name, passive=True)


class Publisher:
    """Publishes to queues, which are declared where they are missing, and to the exchange of what is broadcast.

    Its calls raise the errors of the SDK.
    """

    def __init__(self, connection: Connection, queue: str, timeout: float) -> None:
        self._connection = connection
        self._queue = queue
        self._timeout = timeout
        self.channel = Channel(connection, self._prepare, confirms=True)
        self._announced: AbstractChannel | None = None

    async def publish(self, name: str, body: bytes, headers: Mapping[str, str]) -> str:
        """Keep a message; its id."""
        identity = uuid4().hex
        channel = await self.channel.opened()
        properties = Basic.Properties(delivery_mode=_KEPT, message_id=identity, headers=dict(headers))

        async def send() -> None:
            await channel.basic_publish(
                body, routing_key=name, properties=properties, mandatory=True, timeout=self._timeout
            )

        try:
            await send()
        except PublishError:  # somebody deleted the queue
            await self._connection.ask(declare(channel, name))
            await send()
        except TimeoutError:  # 3.10 never confirms on a channel whose first message came before the queue had a leader
            self.channel.replace(channel, self._timeout)
            raise
        return identity

    async def broadcast(self, body: bytes, headers: Mapping[str, str]) -> None:
        channel = await self.channel.opened()
        exchange = f"{self._queue}.fanout"
        if channel is not self._announced:
            await self._connection.ask(announce(channel, exchange))
            self._announced = channel
        properties = Basic.Properties(headers=dict(headers))
        await channel.basic_publish(body, exchange=exchange, properties=properties, timeout=self._timeout)

    async def _prepare(self, channel: AbstractChannel) -> None:
        await declare(channel, self._queue)


async def announce(channel: AbstractChannel, exchange: str) -> None:
    """See that the exchange of what is broadcast is there."""
    await channel.exchange_declare(exchange, exchange_type="fanout", durable=True)
