"""The JetStream stream of the queue `nats`: made where it is missing, and written to."""

from __future__ import annotations

import json
import re

from nats.aio.client import Client
from nats.errors import Error, NoRespondersError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StreamConfig
from nats.js.errors import APIError, NotFoundError

from oneiric.adapters.queue import MAX_ACK_WAIT
from oneiric.adapters.queue._nats_connection import FAULTS, Connection

MESSAGES, DEAD = "messages", "dead"
"""The last part of the subjects, and the names of their consumers."""


class Stream:
    """A stream with the subjects `NAME.messages` and `NAME.dead`, each with its one consumer.

    Its calls raise the errors of the SDK.
    """

    def __init__(self, connection: Connection, name: str, ack_wait: float) -> None:
        FAULTS.check_above_zero(ack_wait=ack_wait)
        if ack_wait > MAX_ACK_WAIT:
            raise FAULTS.no_sense(f"{ack_wait!r} is above {MAX_ACK_WAIT:g}", "ack_wait")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise FAULTS.no_sense("has other characters than letters, digits, _ and -", "queue")
        self.connection = connection
        self.name = name
        self.ack_wait = ack_wait

    async def publish(self, part: str, body: bytes, headers: dict[str, str] | None) -> str:
        """Keep a message; its number in the stream."""
        subject = f"{self.name}.{part}"
        client = self.connection.client or await self.connection.renewed()
        try:
            answer = await client.request(subject, body, self.connection.timeout, headers=headers)
        except NoRespondersError:
            await self.make(client)  # somebody emptied the server
            answer = await client.request(subject, body, self.connection.timeout, headers=headers)
        return _number(answer.data)

    async def make(self, client: Client) -> None:
        """See that the stream and its two consumers are there."""
        manager = JetStreamContext(client, timeout=self.connection.timeout)
        try:
            await manager.stream_info(self.name)
        except NotFoundError:
            subjects = [f"{self.name}.{part}" for part in (MESSAGES, DEAD)]
            kept = StreamConfig(name=self.name, subjects=subjects, retention=RetentionPolicy.WORK_QUEUE)
            await manager.add_stream(kept)  # pyright: ignore[reportUnknownMemberType]
        for part in (MESSAGES, DEAD):
            config = ConsumerConfig(
                durable_name=part,
                filter_subject=f"{self.name}.{part}",
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=self.ack_wait,
                max_deliver=-1,
                max_ack_pending=-1,
            )
            await manager.add_consumer(self.name, config)  # pyright: ignore[reportUnknownMemberType]


def _number(answer: bytes) -> str:
    """What the server says of a message that it has: cheaper than the SDK's object of the same."""
    said: dict[str, object] | list[object] = json.loads(answer.decode())
    if isinstance(said, dict) and "error" not in said and isinstance(number := said.get("seq"), int):
        return str(number)
    match said:
        case {"error": {"code": int(code), "err_code": int(number), "description": str(what)}}:
            raise APIError(code, what, number)
        case _:
            raise Error("the answer is not one of JetStream")
