"""Queue provider `rabbitmq`: quorum queues of a RabbitMQ server or cluster."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from math import inf
from pathlib import Path

from oneiric import Secret, component
from oneiric.adapters.queue import InvalidMessage, Listener, Message, QueueError, check_message
from oneiric.adapters.queue._rabbitmq_channel import Channel, Publisher, exists
from oneiric.adapters.queue._rabbitmq_connection import FAULTS, Connection, address_of
from oneiric.adapters.queue._rabbitmq_consumer import DELIVERIES, Block, Consumer
from oneiric.adapters.queue._rabbitmq_fanout import listening

_MAX_ACK_WAIT = 1740.0  # the server takes a message back after 30 minutes, and looks for those once a minute
_MAX_NAME = 240  # bytes, of the 255 that names have with what is added to this
_RESERVED = {DELIVERIES, "x-acquired-count"}


@component(
    "adapter",
    "queue",
    provider="rabbitmq",
    priority=0,
    stack_level=-20,
    capabilities=("queue", "dead-letters", "distributed", "durable", "fanout"),
    port="oneiric.adapters.queue:Queue",
)
class RabbitMQQueue:
    """Keeps messages in a quorum queue.

    Needs a RabbitMQ server 3.10 or later; the extra `queue-rabbitmq`.

    There are two connections, so that a server that holds back who publishes still takes acknowledgements; when one
    breaks, the next call makes a new one.

    `url`: `amqp://HOST:PORT/VHOST`, `amqps://…` for TLS; without `VHOST` it is `/`.
    `user`: the user name, with a `password`; without both it is `guest`, whom a server takes from its own machine.
    `password`: the user's password.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `queue`: the name of the queue; its dead letters are in `QUEUE.dead`, both made when missing, and the exchange of
    what is broadcast is `QUEUE.fanout`.
    `client_name`: shown by the server's management.
    `ack_wait`: seconds a consumer has for a message, before it goes to another; at most 1740.
    `max_deliveries`: how many times a message is tried before it is a dead letter.
    `timeout`: seconds to wait for a reply.
    `connect_timeout`: seconds to connect.
    `heartbeat`: whole seconds between signs of life; a connection without them is given up.
    `healthcheck_timeout`: seconds for all of a health check.
    """

    def __init__(
        self,
        *,
        url: str = "amqp://localhost:5672",
        user: str | None = None,
        password: Secret | None = None,
        ca_file: Path | None = None,
        queue: str = "oneiric-queue",
        client_name: str = "oneiric",
        ack_wait: float = 30.0,
        max_deliveries: int = 5,
        timeout: float = 5.0,
        connect_timeout: float = 2.0,
        heartbeat: int = 30,
        healthcheck_timeout: float = 2.0,
    ) -> None:
        FAULTS.check_above_zero(
            ack_wait=ack_wait, max_deliveries=max_deliveries, healthcheck_timeout=healthcheck_timeout
        )
        if ack_wait > _MAX_ACK_WAIT:
            raise FAULTS.no_sense(f"{ack_wait!r} is above {_MAX_ACK_WAIT:g}", "ack_wait")
        FAULTS.check_text(queue=queue, client_name=client_name)
        if queue.startswith("amq.") or len(queue.encode()) > _MAX_NAME:
            raise FAULTS.no_sense(f"begins with amq., which is the server's, or is above {_MAX_NAME} bytes", "queue")
        address = address_of(url, user, password)
        self._publishing, self._consuming = (
            Connection(
                address,
                ca_file=ca_file,
                client_name=client_name,
                timeout=timeout,
                connect_timeout=connect_timeout,
                heartbeat=heartbeat,
            )
            for _ in range(2)
        )
        self._queue = queue
        self._healthcheck_timeout = healthcheck_timeout
        self._looking = Channel(self._publishing)
        self._publisher = Publisher(self._publishing, queue, timeout)
        self._alive, self._dead = (
            Consumer(self._consuming, self._publisher, name, f"{queue}.dead", ack_wait=ack_wait, max_deliveries=most)
            for name, most in ((queue, max_deliveries), (f"{queue}.dead", inf))
        )

    async def start(self) -> None:
        self._publishing.open()
        self._consuming.open()
        with self._publishing.errors():
            await self._publisher.channel.opened()

    async def health(self) -> bool:
        try:
            with self._publishing.errors():
                await self._publishing.try_for(self._healthcheck_timeout, self._look())
        except QueueError:
            return False
        return True

    async def aclose(self) -> None:
        await self._consuming.close()
        await self._publishing.close()

    async def publish(self, body: bytes, *, headers: Mapping[str, str] | None = None) -> str:
        _check(body, headers or {})
        with self._publishing.errors():
            return await self._publisher.publish(self._queue, body, headers or {})

    def consume(self, *, wait: float = 10.0, dead: bool = False) -> AbstractAsyncContextManager[Message | None]:
        return Block(self._dead if dead else self._alive, wait)

    async def broadcast(self, body: bytes, *, headers: Mapping[str, str] | None = None) -> None:
        _check(body, headers or {})
        with self._publishing.errors():
            await self._publisher.broadcast(body, headers or {})

    def listen(self) -> AbstractAsyncContextManager[Listener]:
        return listening(self._consuming, f"{self._queue}.fanout")

    async def _look(self) -> None:
        await exists(await self._looking.opened(), self._queue)


def _check(body: bytes, headers: Mapping[str, str]) -> None:
    check_message(body, headers)
    if taken := _RESERVED.intersection(headers):
        raise InvalidMessage(f"the header {min(taken)} is the server's own")
