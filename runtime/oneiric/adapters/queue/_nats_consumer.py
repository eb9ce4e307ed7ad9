"""Consuming a subject of the queue `nats`: acknowledgement, redelivery, dead letters."""

from __future__ import annotations

import asyncio
import re
from contextlib import AbstractAsyncContextManager
from itertools import count
from types import MappingProxyType
from urllib.parse import unquote

from nats.aio.client import Client
from nats.aio.msg import Msg

from oneiric.adapters.queue import Message, QueueError, check_wait
from oneiric.adapters.queue._nats_stream import DEAD, Stream
from oneiric.adapters.queue._turns import has_turn

_SLICE = 1.0  # seconds a request for a message stays at the server, at most
_NOTHING = {"404", "408"}  # what the server says when no message came
_HEADER = re.compile(r"[a-z][a-z0-9_-]*")


class Consumer:
    """Takes the messages of one subject, one after the other for all consumers of this process.

    A message that was tried `max_deliveries` times is moved to the dead letters.
    """

    def __init__(self, stream: Stream, part: str, max_deliveries: float) -> None:
        self._stream = stream
        self._connection = stream.connection
        self._next_subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream.name}.{part}"
        self._max_deliveries = max_deliveries
        self._turn = asyncio.Semaphore(1)  # a lock that was left for the next one would not say `locked`
        self._numbers = count(1)  # of requests, so that a late status is not taken for that of the next one
        self._inbox = ""
        self._came: list[tuple[float, Msg]] = []
        self._statuses: dict[str, str] = {}
        self._arrived = asyncio.Event()

    async def listen(self, client: Client) -> None:
        """Get by this connection what the server sends."""
        self._inbox = client.new_inbox()
        self._came.clear()
        await client.subscribe(f"{self._inbox}.*", cb=self._keep)  # pyright: ignore[reportUnknownMemberType]

    def let_go(self) -> None:
        """Wake all who wait: the queue has closed."""
        self._arrived.set()

    async def take(self, wait: float) -> tuple[Msg, float] | None:
        """The next message, if one comes in so many seconds, and until when it is its consumer's."""
        check_wait(wait)
        with self._connection.errors():
            found = await self._next(wait)
        return None if found is None else (found, _now() + self._stream.ack_wait)

    async def done(self, taken: Msg) -> None:
        with self._connection.errors():
            await self._acknowledge(taken)

    async def give_back(self, taken: Msg) -> None:
        """Let the message come again at once; where that fails, it comes after `ack_wait`."""
        try:
            with self._connection.errors():
                if _attempt(taken) >= self._max_deliveries:
                    await self._bury(taken)
                else:
                    client = self._connection.client or await self._connection.renewed()
                    await client.publish(taken.reply, Msg.Ack.Nak)
        except QueueError:
            pass  # what the consumer raised says more

    async def _next(self, wait: float) -> Msg | None:
        """One consumer asks the server at a time, the others wait for their turn."""
        end = _now() + wait
        if not await has_turn(self._turn, wait):
            return None
        try:
            while True:
                found = await self._ask(min(end - _now(), _SLICE))
                if found is not None and _attempt(found) > self._max_deliveries:
                    await self._bury(found)
                elif found is not None or _now() >= end:
                    return found
        finally:
            self._turn.release()

    async def _ask(self, wait: float) -> Msg | None:
        """The next message, if one comes in so many seconds; one that came for a cancelled consumer first."""
        client = self._connection.client or await self._connection.renewed()
        while self._came:
            if (found := self._waiting()) is not None:
                return found
        number = str(next(self._numbers))
        self._statuses.clear()
        limit = b'"expires":%d' % (wait * 1e9) if wait > 0.001 else b'"no_wait":true'
        await client.publish(self._next_subject, b'{"batch":1,%b}' % limit, reply=f"{self._inbox}.{number}")
        try:
            async with asyncio.timeout(max(wait, 0) + self._connection.timeout):
                status = None
                while status is None:
                    await self._arrived.wait()
                    self._arrived.clear()
                    self._connection.refuse_when_closed()
                    if (found := self._waiting()) is not None:
                        return found
                    status = self._statuses.pop(number, None)
        except TimeoutError:
            status = "no answer"
        if status not in _NOTHING:
            await self._stream.make(client)  # somebody deleted the stream, if the server is there
            self._connection.raise_what_was_said()
        return None

    def _waiting(self) -> Msg | None:
        """A message that came, and has not gone to another consumer since."""
        while self._came:
            when, found = self._came.pop(0)
            if _now() < when + self._stream.ack_wait:
                return found
        return None

    async def _keep(self, message: Msg) -> None:
        status = (message.headers or {}).get("Status")
        if status is None:
            self._came.append((_now(), message))
        else:
            self._statuses[message.subject.rpartition(".")[2]] = status
        self._arrived.set()

    async def _bury(self, taken: Msg) -> None:
        """The server drops the second of two copies of one dead letter, if somebody else buries it too."""
        headers = {**(taken.headers or {}), "Nats-Msg-Id": f"dead-{_identity(taken)}"}
        await self._stream.publish(DEAD, taken.data, headers)
        await self._acknowledge(taken)

    async def _acknowledge(self, taken: Msg) -> None:
        """Over the connection there is now, which may be another than the one it came by."""
        client = self._connection.client or await self._connection.renewed()
        await client.request(taken.reply, timeout=self._connection.timeout)


class Delivery(AbstractAsyncContextManager[Message | None]):
    """The next message, if one comes in so many seconds, for the block of a consumer."""

    def __init__(self, consumer: Consumer, wait: float) -> None:
        self._consumer = consumer
        self._wait = wait

    async def __aenter__(self) -> Message | None:
        self._taken = await self._consumer.take(self._wait)
        return None if self._taken is None else _message(self._taken[0])

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._taken is None:
            return
        taken, end = self._taken
        if error is None:
            await self._consumer.done(taken)
        elif _now() < end:
            await self._consumer.give_back(taken)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _attempt(taken: Msg) -> int:
    return taken.metadata.num_delivered or 1


def _identity(taken: Msg) -> str:
    return str(taken.metadata.sequence.stream)


def _message(taken: Msg) -> Message:
    return Message(_identity(taken), taken.data, MappingProxyType(headers_of(taken)), _attempt(taken))


def headers_of(came: Msg) -> dict[str, str]:
    """The headers of a message, without those of the server."""
    return {name: unquote(value) for name, value in (came.headers or {}).items() if _HEADER.fullmatch(name)}
