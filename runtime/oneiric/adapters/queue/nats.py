"""Queue provider `nats`: a JetStream work queue of a NATS server or cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from math import inf
from pathlib import Path
from urllib.parse import quote

from nats.aio.client import Client
from nats.js import JetStreamContext

from oneiric import Secret, component
from oneiric.adapters.queue import Listener, Message, QueueError, check_message
from oneiric.adapters.queue._nats_connection import FAULTS, Connection
from oneiric.adapters.queue._nats_consumer import Consumer, Delivery
from oneiric.adapters.queue._nats_fanout import Fanout
from oneiric.adapters.queue._nats_stream import DEAD, MESSAGES, Stream

_SAFE = "!#$&'()*+,/:;=?@[]"  # in a header's value, besides letters and digits


@component(
    "adapter",
    "queue",
    provider="nats",
    priority=0,
    stack_level=-20,
    capabilities=("queue", "dead-letters", "distributed", "durable", "fanout"),
    port="oneiric.adapters.queue:Queue",
)
class NATSQueue:
    """Keeps messages in a JetStream stream.

    There is one connection; when it breaks, the next call makes a new one.

    Needs a NATS server 2.9 or later with JetStream; the extra `queue-nats`.

    `servers`: the servers of one cluster, each `nats://HOST:PORT` or `tls://HOST:PORT` without credentials;
    `nats://localhost:4222` by default.
    `queue`: the name of the stream; made with file storage and one replica when missing, else used as it is. It
    takes the subjects `QUEUE.messages` and `QUEUE.dead`; `QUEUE.fanout` is for what is broadcast.
    `user`: the user name, with a `password`.
    `password`: the user's password.
    `token`: a token, instead of `user` and `password`.
    `tls`: insist on TLS.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `client_name`: shown by the server's monitoring.
    `ack_wait`: seconds a consumer has for a message, before it goes to another.
    `max_deliveries`: how many times a message is tried before it is a dead letter.
    `timeout`: seconds to wait for a reply.
    `connect_timeout`: seconds to connect, over all servers.
    `ping_interval`: seconds between pings; two without answer break the connection.
    `healthcheck_timeout`: seconds for all of a health check.
    """

    def __init__(
        self,
        *,
        servers: list[str] | None = None,
        queue: str = "oneiric",
        user: str | None = None,
        password: Secret | None = None,
        token: Secret | None = None,
        tls: bool = False,
        ca_file: Path | None = None,
        client_name: str = "oneiric-nats",
        ack_wait: float = 30.0,
        max_deliveries: int = 5,
        timeout: float = 5.0,
        connect_timeout: float = 2.0,
        ping_interval: float = 30.0,
        healthcheck_timeout: float = 2.0,
    ) -> None:
        FAULTS.check_above_zero(max_deliveries=max_deliveries, healthcheck_timeout=healthcheck_timeout)
        self._connection = Connection(
            self._prepare,
            servers=["nats://localhost:4222"] if servers is None else servers,
            user=user,
            password=password,
            token=token,
            tls=tls,
            ca_file=ca_file,
            client_name=client_name,
            timeout=timeout,
            connect_timeout=connect_timeout,
            ping_interval=ping_interval,
        )
        self._stream = Stream(self._connection, queue, ack_wait)
        self._alive = Consumer(self._stream, MESSAGES, max_deliveries)
        self._dead = Consumer(self._stream, DEAD, inf)
        self._fanout = Fanout(self._connection, f"{queue}.fanout")
        self._healthcheck_timeout = healthcheck_timeout

    async def start(self) -> None:
        await self._connection.open()

    async def health(self) -> bool:
        try:
            with self._connection.errors():
                async with asyncio.timeout(self._healthcheck_timeout):
                    client = self._connection.client or await self._connection.renewed()
                    await JetStreamContext(client, timeout=self._healthcheck_timeout).stream_info(self._stream.name)
        except QueueError:
            return False
        return True

    async def aclose(self) -> None:
        self._alive.let_go()
        self._dead.let_go()
        await self._connection.close()

    async def publish(self, body: bytes, *, headers: Mapping[str, str] | None = None) -> str:
        check_message(body, headers or {})
        with self._connection.errors():
            return await self._stream.publish(MESSAGES, body, _quoted(headers) if headers else None)

    def consume(self, *, wait: float = 10.0, dead: bool = False) -> AbstractAsyncContextManager[Message | None]:
        return Delivery(self._dead if dead else self._alive, wait)

    async def broadcast(self, body: bytes, *, headers: Mapping[str, str] | None = None) -> None:
        check_message(body, headers or {})
        with self._connection.errors():
            await self._fanout.publish(body, _quoted(headers) if headers else None)

    def listen(self) -> AbstractAsyncContextManager[Listener]:
        return self._fanout.listen()

    async def _prepare(self, client: Client) -> None:
        for consumer in (self._alive, self._dead):
            await consumer.listen(client)
        await self._stream.make(client)


def _quoted(headers: Mapping[str, str]) -> dict[str, str]:
    """Header values as ASCII: the protocol has no other text."""
    return {name: quote(value, safe=_SAFE) for name, value in headers.items()}
