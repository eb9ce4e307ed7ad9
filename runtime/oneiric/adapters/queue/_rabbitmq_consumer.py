"""Consuming a queue of the provider `rabbitmq`: acknowledgement, the deadline of it, redelivery, dead letters."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from contextlib import AbstractAsyncContextManager, suppress
from hashlib import blake2b
from itertools import count
from types import MappingProxyType
from typing import Any

from aiormq.abc import AbstractChannel, DeliveredMessage
from aiormq.exceptions import ChannelNotFoundEntity
from pamqp.commands import Basic

from oneiric.adapters.queue import Message, QueueError, check_wait
from oneiric.adapters.queue._rabbitmq_channel import Channel, Publisher, declare, exists
from oneiric.adapters.queue._rabbitmq_connection import Connection
from oneiric.adapters.queue._turns import has_turn

DELIVERIES = "x-delivery-count"
"""The header in which the server counts how often a message was given back, or its consumer was lost."""
_SLICE = 10.0  # seconds of waiting before asking again, at most: who waits at a queue is not always told of its end
_HEADER = re.compile(r"[a-z][a-z0-9_-]*")


class Delivery:
    """A message that came: its consumer's until it is acknowledged, given back, or overdue."""

    def __init__(self, came: DeliveredMessage) -> None:
        properties = came.header.properties
        headers = properties.headers or {}
        deliveries = headers.get(DELIVERIES)
        self.channel = came.channel
        self.tag: int = getattr(came.delivery, "delivery_tag", 0)
        self.timer: asyncio.TimerHandle | None = None
        self.message = Message(
            properties.message_id or blake2b(came.body, digest_size=16).hexdigest(),
            came.body,
            MappingProxyType(headers_of(came)),
            1 + (deliveries if isinstance(deliveries, int) else 0),
        )

    def end(self) -> bool:
        """It is its consumer's no longer; whether it was until now."""
        timer, self.timer = self.timer, None
        if timer is not None:
            timer.cancel()
        return timer is not None


class Consumer:
    """Takes the messages of one queue, one after the other for all consumers of this process.

    The server is asked for one; where there is none it is asked to send the next, and no more than that. A message
    that was tried `max_deliveries` times is moved to the queue `dead`.
    """

    def __init__(
        self,
        connection: Connection,
        publisher: Publisher,
        name: str,
        dead: str,
        *,
        ack_wait: float,
        max_deliveries: float,
    ) -> None:
        self._connection = connection
        self._publisher = publisher
        self._name = name
        self._dead = dead
        self._ack_wait = ack_wait
        self._max_deliveries = max_deliveries
        self._channel = Channel(connection, self._prepare)
        self._turn = asyncio.Semaphore(1)  # a lock that was left for the next one would not say `locked`
        self._tags = count(1)
        self._surplus: deque[Delivery] = deque()  # what came for consumers who did not stay
        self._arrived: asyncio.Future[None] | None = None

    async def take(self, wait: float) -> Delivery | None:
        """The next message, if one comes in so many seconds."""
        check_wait(wait)
        with self._connection.errors():
            end = _now() + wait
            if not await has_turn(self._turn, wait):
                return None
            try:
                return await self._next(end)
            finally:
                self._turn.release()

    async def done(self, delivery: Delivery) -> None:
        with self._connection.errors():
            if delivery.end():
                await self._connection.ask(self._acknowledge(delivery))

    async def give_back(self, delivery: Delivery) -> None:
        """Let the message come again at once; where that fails, it comes after `ack_wait` or with the connection."""
        if delivery.timer is None:
            return
        try:
            with self._connection.errors():
                if delivery.message.attempt >= self._max_deliveries:
                    await self._bury(delivery)
                elif delivery.end():
                    await self._connection.ask(_reject(delivery))
        except QueueError:
            pass  # what the consumer raised says more

    async def _next(self, end: float) -> Delivery | None:
        while True:
            if not self._surplus:
                await self._ask_for_one()
            if not self._surplus and (left := end - _now()) > 0:
                await self._wait_for_one(min(left, _SLICE))
            found = self._kept()
            if found is not None and found.message.attempt > self._max_deliveries:
                await self._bury(found)
            elif found is not None or _now() >= end:
                return found

    async def _ask_for_one(self) -> None:
        channel = await self._channel.opened()
        try:
            await self._connection.ask(self._get(channel))
        except ChannelNotFoundEntity:  # somebody deleted the queue
            await self._channel.opened()

    async def _get(self, channel: AbstractChannel) -> None:
        came = await channel.basic_get(self._name)
        if not isinstance(came.delivery, Basic.GetEmpty):
            self._keep(came)

    async def _wait_for_one(self, wait: float) -> None:
        """Let the server send the next message, if one comes in so many seconds and the channel does not break."""
        channel = await self._channel.opened()
        arrived = self._arrived = asyncio.get_running_loop().create_future()
        tag = str(next(self._tags))
        closing: asyncio.Future[Any] = channel.closing  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        try:
            await self._connection.ask(channel.basic_consume(self._name, self._push, consumer_tag=tag))
            await asyncio.wait({arrived, closing}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
        finally:
            closing.cancel()
            if self._channel.is_open(channel):
                with suppress(*Connection.broken):  # the next call sees what broke
                    # the server sends one, and no second before that is settled: where it came nothing is under way
                    await self._connection.ask(
                        channel.basic_cancel(tag, nowait=True) if arrived.done() else channel.basic_cancel(tag)
                    )

    async def _push(self, came: DeliveredMessage) -> None:
        self._keep(came)
        self._wake(came)

    def _wake(self, _: object) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def _keep(self, came: DeliveredMessage) -> None:
        delivery = Delivery(came)
        self._set_timer(delivery)
        self._surplus.append(delivery)

    def _kept(self) -> Delivery | None:
        """A message that came and still is this process's; its consumer has all the time there is."""
        while self._surplus:
            delivery = self._surplus.popleft()
            if delivery.end() and self._channel.is_open(delivery.channel):
                self._set_timer(delivery)
                return delivery
        return None

    def _set_timer(self, delivery: Delivery) -> None:
        delivery.timer = asyncio.get_running_loop().call_later(self._ack_wait, self._overdue, delivery)

    def _overdue(self, delivery: Delivery) -> None:
        if delivery.end() and self._channel.is_open(delivery.channel):
            self._connection.beside(_reject(delivery))

    async def _bury(self, delivery: Delivery) -> None:
        """Where this is interrupted after the first of the two, there are two copies of one dead letter."""
        message = delivery.message
        await self._publisher.publish(self._dead, message.body, message.headers)
        if delivery.end():
            await self._connection.ask(self._acknowledge(delivery))

    async def _acknowledge(self, delivery: Delivery) -> None:
        """The server says nothing to an acknowledgement: it has it when it answers what came after that."""
        await delivery.channel.basic_ack(delivery.tag, wait=False)
        await exists(delivery.channel, self._name)

    async def _prepare(self, channel: AbstractChannel) -> None:
        await declare(channel, self._name)
        await channel.basic_qos(prefetch_count=1)
        channel.on_consumer_cancel_callbacks.add(self._wake)


class Block(AbstractAsyncContextManager[Message | None]):
    """The next message, if one comes in so many seconds, for the block of a consumer."""

    def __init__(self, consumer: Consumer, wait: float) -> None:
        self._consumer = consumer
        self._wait = wait

    async def __aenter__(self) -> Message | None:
        self._delivery = await self._consumer.take(self._wait)
        return None if self._delivery is None else self._delivery.message

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._delivery is not None:
            await (self._consumer.done if error is None else self._consumer.give_back)(self._delivery)


async def _reject(delivery: Delivery) -> None:
    # not `nack`: of that servers since 4.3 keep no count
    await delivery.channel.basic_reject(delivery.tag, requeue=True, wait=False)


def headers_of(came: DeliveredMessage) -> dict[str, str]:
    """The headers of a message, without those of the server and what is not text."""
    headers = came.header.properties.headers or {}
    return {name: value for name, value in headers.items() if isinstance(value, str) and _HEADER.fullmatch(name)}


def _now() -> float:
    return asyncio.get_running_loop().time()
