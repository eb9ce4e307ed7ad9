"""Queue provider `redis-streams`: a stream of a Redis server, read by one consumer group."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from math import ceil
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from redis.exceptions import ResponseError

from oneiric import Secret, component
from oneiric.adapters._common.network import Faults
from oneiric.adapters._common.redis import RedisServer, address_of
from oneiric.adapters.queue import (
    MAX_ACK_WAIT,
    Listener,
    Message,
    QueueClosed,
    QueueError,
    QueueMisconfigured,
    QueueRefused,
    QueueUnavailable,
    check_message,
    check_wait,
)
from oneiric.adapters.queue._heard import Heard

_FAULTS = Faults("redis-streams", QueueUnavailable, QueueRefused, QueueMisconfigured)
_CONSUMER = "oneiric"  # of all processes: what a consumer has is told by how long it has it
_SLICE = 1.0  # seconds of waiting for new messages before looking for those to come again, at most
_NO_GROUP = "NOGROUP|BUSYGROUP|UNBLOCKED"
_AT_ONCE = 50  # messages fetched for consumers of this process that wait together, at most
_BODY, _HEADER = b"body", b"header:"
_SETTLE = """
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
"""  # a script is one command and one reply: a transaction of the same would be four and four


@component(
    "adapter",
    "queue",
    provider="redis-streams",
    priority=0,
    stack_level=-20,
    capabilities=("queue", "dead-letters", "distributed", "fanout"),
    port="oneiric.adapters.queue:Queue",
)
class RedisStreamsQueue:
    """Keeps messages in a stream of a Redis server, which is the queue's own.

    Needs a Redis server 6.2 or later, or Valkey; the extra `queue-redis-streams`.

    What survives a crash of the server is what its persistence keeps (`appendonly yes`).

    `url`: `redis://HOST:PORT/DB`, `rediss://…` for TLS, `unix:///PATH`.
    `user`: the user name; a server may want this, the password, both or neither.
    `password`: the user's password.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `stream`: the name of the queue; its dead letters are in `STREAM:dead`, its channel is `STREAM:fanout`.
    `group`: the consumer group, made when missing.
    `ack_wait`: seconds a consumer has for a message, before it goes to another.
    `max_deliveries`: how many times a message is tried before it is a dead letter.
    `timeout`: seconds to connect, and to wait for a reply or a free connection.
    `healthcheck_timeout`: seconds for all of a health check, and of the first connection.
    `max_connections`: how many connections are open at most, besides two on which consumers wait.
    `client_name`: shown by `CLIENT LIST`.
    """

    def __init__(
        self,
        *,
        url: str = "redis://localhost:6379/0",
        user: str | None = None,
        password: Secret | None = None,
        ca_file: Path | None = None,
        stream: str = "oneiric-queue",
        group: str = "oneiric",
        ack_wait: float = 30.0,
        max_deliveries: int = 5,
        timeout: float = 5.0,
        healthcheck_timeout: float = 2.0,
        max_connections: int = 50,
        client_name: str = "oneiric",
    ) -> None:
        _FAULTS.check_above_zero(ack_wait=ack_wait, max_deliveries=max_deliveries)
        if ack_wait > MAX_ACK_WAIT:
            raise _FAULTS.no_sense(f"{ack_wait!r} is above {MAX_ACK_WAIT:g}", "ack_wait")
        _FAULTS.check_text(stream=stream, group=group)
        address = address_of(url, user, password, _FAULTS)
        self._ack_wait = ack_wait
        self._max_deliveries = max_deliveries
        self._slice = min(_SLICE, ack_wait / 2)
        self._channel = f"{stream}:fanout"
        self._alive, self._dead = _Line(stream, group), _Line(f"{stream}:dead", group)
        self._server, self._waiting = (
            RedisServer(
                address,
                _FAULTS,
                QueueClosed,
                _NO_GROUP,
                ca_file=ca_file,
                timeout=seconds,
                healthcheck_timeout=healthcheck_timeout,
                max_connections=connections,
                client_name=client_name,
            )
            for seconds, connections in ((timeout, max_connections), (timeout + self._slice, 2))
        )

    async def start(self) -> None:
        await self._server.open()
        await self._make_groups()
        await self._waiting.open()

    async def health(self) -> bool:
        try:
            await self._server.ping()
        except QueueError:
            return False
        return True

    async def aclose(self) -> None:
        for closing in [self._server.close(), self._waiting.close()]:
            await closing

    async def publish(self, body: bytes, *, headers: Mapping[str, str] | None = None) -> str:
        check_message(body, headers or {})
        fields = _fields(body, headers) if headers else (_BODY, body)
        identity: bytes = await self._server.run("XADD", self._alive.stream, "*", *fields)
        return identity.decode()

    @asynccontextmanager
    async def consume(self, *, wait: float = 10.0, dead: bool = False) -> AsyncGenerator[Message | None, None]:
        check_wait(wait)
        line = self._dead if dead else self._alive
        came = await self._next(line, wait)
        if came is None:
            yield None
            return
        try:
            yield came.message
        except BaseException:
            if _now() < came.end:
                await self._give_back(line, came.message)
            raise
        await self._server.run("EVAL", _SETTLE, 1, line.stream, line.group, came.message.id)

    async def broadcast(self, body: bytes, *, headers: Mapping[str, str] | None = None) -> None:
        check_message(body, headers or {})
        told = msgspec.json.encode(dict(headers or {})) + b"\n" + body
        await self._server.run("PUBLISH", self._channel, told)

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator[Listener, None]:
        heard = Heard()
        async with self._server.subscribed(self._channel) as receive:
            reading = asyncio.ensure_future(_read(receive, heard))
            try:
                yield heard
            finally:
                reading.cancel()
                await asyncio.wait((reading,))

    async def _next(self, line: _Line, wait: float) -> _Came | None:
        """One consumer of this process waits at the server at a time, also for those who wait for their turn."""
        end = _now() + wait
        line.consumers += 1
        try:
            if line.turn.locked():
                async with asyncio.timeout(wait):
                    await line.turn.acquire()
            else:
                await line.turn.acquire()
        except TimeoutError:
            return None
        finally:
            line.consumers -= 1
        try:
            while True:
                try:
                    left = min(end - _now(), self._slice)
                    came = line.kept() or await self._again(line) or await self._new(line, left)
                except ResponseError:
                    await self._make_groups()  # somebody emptied the server
                    came = None
                if came is not None or _now() >= end:
                    return came
        finally:
            line.turn.release()

    async def _new(self, line: _Line, wait: float) -> _Came | None:
        """The next message nobody had yet, if one comes in so many seconds."""
        block = ("BLOCK", ceil(wait * 1000)) if wait > 0 else ()
        many = ("COUNT", min(1 + line.consumers, _AT_ONCE), *block)
        group = ("GROUP", line.group, _CONSUMER)
        reply = await self._waiting.run("XREADGROUP", *group, *many, "STREAMS", line.stream, ">")
        end = _now() + self._ack_wait
        line.surplus.extend(_Came(_message(entry, 1), end) for entry in (reply[0][1] if reply else ()))
        return line.kept()

    async def _again(self, line: _Line) -> _Came | None:
        """The next message whose consumer failed or took too long; looked for once in a while."""
        idle = ceil(self._ack_wait * 1000)
        while _now() >= line.look_at:
            found = await self._server.run("XPENDING", line.stream, line.group, "IDLE", idle, "-", "+", 1)
            if not found:
                line.look_at = _now() + self._slice
                break
            identity, _, _, deliveries = found[0]
            claimed = await self._server.run("XCLAIM", line.stream, line.group, _CONSUMER, idle, identity)
            if not claimed or claimed[0] is None or claimed[0][1] is None:
                continue  # another consumer was quicker, or it is no more
            message = _message(claimed[0], deliveries + 1)
            if line is self._dead or deliveries < self._max_deliveries:
                return _Came(message, _now() + self._ack_wait)
            await self._bury(message)
        return None

    async def _give_back(self, line: _Line, message: Message) -> None:
        """Let the message come again at once; where that fails, it comes after `ack_wait`."""
        try:
            if line is self._alive and message.attempt >= self._max_deliveries:
                await self._bury(message)
                return
            overdue = ("IDLE", ceil(self._ack_wait * 1000), "JUSTID")
            await self._server.run("XCLAIM", line.stream, line.group, _CONSUMER, 0, message.id, *overdue)
            line.look_at = 0.0
        except (QueueError, ResponseError):
            pass  # what the consumer raised says more

    async def _bury(self, message: Message) -> None:
        add: tuple[bytes | str, ...] = ("XADD", self._dead.stream, "*", *_fields(message.body, message.headers))
        settle = ("EVAL", _SETTLE, 1, self._alive.stream, self._alive.group, message.id)
        await self._server.run_together(add, settle)

    async def _make_groups(self) -> None:
        for line in (self._alive, self._dead):
            with suppress(ResponseError):  # it is there
                await self._server.run("XGROUP", "CREATE", line.stream, line.group, 0, "MKSTREAM")


class _Came(NamedTuple):
    """A message, and until when it is its consumer's."""

    message: Message
    end: float


class _Line:
    """The queue, or its dead letters."""

    def __init__(self, stream: str, group: str) -> None:
        self.stream = stream
        self.group = group
        self.turn = asyncio.Semaphore(1)  # a lock that was left for the next one would not say `locked`
        self.look_at = 0.0  # when to look for messages that come again
        self.consumers = 0  # who wait for their turn
        self.surplus: deque[_Came] = deque()

    def kept(self) -> _Came | None:
        """A message that came for another consumer, who did not stay; what was kept too long is somebody else's."""
        while self.surplus:
            if _now() < (came := self.surplus.popleft()).end:
                return came
        return None


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _read(receive: Callable[[float], Awaitable[bytes | None]], heard: Heard) -> None:
    """Keep what comes on a channel for its listener, until the connection breaks."""
    while True:
        try:
            told = await receive(_SLICE)
        except QueueError as error:
            heard.end(error)
            return
        if told is not None:
            heard.put(_told(told))


def _told(told: bytes) -> Message:
    """A message of the channel; what somebody else wrote there may be anything."""
    head, _, body = told.partition(b"\n")
    try:
        headers = msgspec.json.decode(head, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeError):
        headers, body = {}, told
    return Message("", body, MappingProxyType(headers), 1)


def _fields(body: bytes, headers: Mapping[str, str]) -> list[bytes]:
    named = ((_HEADER + name.encode(), value.encode()) for name, value in headers.items())
    return [_BODY, body, *(part for pair in named for part in pair)]


def _message(entry: tuple[bytes, list[bytes]], attempt: int) -> Message:
    """A message from an entry of the stream; one that somebody else wrote may lack a body."""
    identity, flat = entry
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    headers = {
        name[len(_HEADER) :].decode(errors="replace"): value.decode(errors="replace")
        for name, value in fields.items()
        if name.startswith(_HEADER)
    }
    return Message(identity.decode(), fields.get(_BODY, b""), MappingProxyType(headers), attempt)
