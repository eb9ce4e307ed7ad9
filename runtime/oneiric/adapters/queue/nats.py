"""Queue provider `nats`: a JetStream work queue of a NATS server or cluster."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import AuthorizationError, Error, NoServersError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StreamConfig
from nats.js.errors import NoStreamResponseError, NotFoundError

from oneiric import Secret, component
from oneiric.adapters._finish import finish
from oneiric.adapters._network import Faults, cancellations, is_about_certificates, revealed, told
from oneiric.adapters.queue import (
    Message,
    QueueClosed,
    QueueError,
    QueueMisconfigured,
    QueueRefused,
    QueueUnavailable,
    check_message,
    check_wait,
)

_FAULTS = Faults("nats", QueueUnavailable, QueueRefused, QueueMisconfigured)
_SLICE = 1.0  # seconds a request for a message stays at the server, at most
_NOTHING = {"404", "408"}  # what the server says when no message came
_SAFE = "!#$&'()*+,/:;=?@[]"  # in a header's value, besides letters and digits
_HEADER = re.compile(r"[a-z][a-z0-9_-]*")


@component(
    "adapter",
    "queue",
    provider="nats",
    priority=0,
    stack_level=-20,
    capabilities=("queue", "dead-letters", "distributed", "durable"),
    port="oneiric.adapters.queue:Queue",
)
class NATSQueue:
    """Keeps messages in a JetStream stream.

    There is one connection; when it breaks, the next call makes a new one.

    Needs a NATS server 2.9 or later with JetStream; the extra `queue-nats`.

    `servers`: the servers of one cluster, each `nats://HOST:PORT` or `tls://HOST:PORT` without credentials;
    `nats://localhost:4222` by default.
    `queue`: the name of the stream; made with file storage and one replica when missing, else used as it is. It
    takes the subjects `QUEUE.messages` and `QUEUE.dead`.
    `user`: who asks, with a `password`.
    `password`: the password of who asks.
    `token`: who asks, instead of `user` and `password`.
    `tls`: insist on TLS.
    `tls_ca_certs`: a file of certificates to trust, instead of those the system trusts.
    `name`: shown by the server's monitoring.
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
        tls_ca_certs: Path | None = None,
        name: str = "oneiric-nats",
        ack_wait: float = 30.0,
        max_deliveries: int = 5,
        timeout: float = 5.0,
        connect_timeout: float = 2.0,
        ping_interval: float = 30.0,
        healthcheck_timeout: float = 2.0,
    ) -> None:
        _FAULTS.check_above_zero(
            ack_wait=ack_wait,
            max_deliveries=max_deliveries,
            timeout=timeout,
            connect_timeout=connect_timeout,
            ping_interval=ping_interval,
            healthcheck_timeout=healthcheck_timeout,
        )
        if token is not None and (user or password is not None):
            raise _FAULTS.no_sense("is given, and user or password too: one of both says who asks", "token")
        if (user is None) != (password is None):
            raise _FAULTS.no_sense("user and password belong together", "user" if user is None else "password")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", queue):
            raise _FAULTS.no_sense("has other characters than letters, digits, _ and -", "queue")
        if tls_ca_certs is not None and not tls_ca_certs.is_file():
            raise _FAULTS.no_sense(f"{tls_ca_certs} is no file", "tls_ca_certs")
        self._servers = ["nats://localhost:4222"] if servers is None else _checked(servers)
        self._secrets = user, password, token
        self._tls = tls or tls_ca_certs is not None
        self._tls_ca_certs = tls_ca_certs
        self._name = name
        self._queue = queue
        self.ack_wait = ack_wait
        self._max_deliveries = max_deliveries
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._ping_interval = ping_interval
        self._healthcheck_timeout = healthcheck_timeout
        self._client: Client | None = None
        self._opened = False
        self._connecting = asyncio.Lock()
        self._alive, self._dead = _Line(queue, "messages"), _Line(queue, "dead")

    async def start(self) -> None:
        self._opened = True
        with _PortErrors(self):
            await self._connected()

    async def health(self) -> bool:
        try:
            with _PortErrors(self):
                async with asyncio.timeout(self._healthcheck_timeout):
                    client = await self._connected()
                    await JetStreamContext(client, timeout=self._healthcheck_timeout).stream_info(self._queue)
        except QueueError:
            return False
        return True

    async def aclose(self) -> None:
        self._opened = False
        client, self._client = self._client, None
        self._alive.let_go()
        self._dead.let_go()
        if client is not None:
            await _close(client)

    async def publish(self, body: bytes, *, headers: Mapping[str, str] | None = None) -> str:
        check_message(body, headers or {})
        with _PortErrors(self):
            return await self._publish(self._alive, body, _quoted(headers) if headers else None)

    def consume(self, *, wait: float = 10.0, dead: bool = False) -> AbstractAsyncContextManager[Message | None]:
        return _Delivery(self, self._dead if dead else self._alive, wait)

    async def take(self, line: _Line, wait: float) -> Msg | None:
        """The next message of a line, if one comes in so many seconds."""
        check_wait(wait)
        with _PortErrors(self):
            return await self._next(line, wait)

    async def settle(self, line: _Line, taken: Msg, *, done: bool) -> None:
        """A consumer is at the end with a message: away with it, or give it back."""
        if not done:
            await self._give_back(line, taken)
            return
        with _PortErrors(self):
            await self._acknowledge(taken)

    async def _next(self, line: _Line, wait: float) -> Msg | None:
        """One consumer of this process asks the server at a time, the others wait for their turn."""
        end = _now() + wait
        if line.turn.locked():
            try:
                async with asyncio.timeout(wait):
                    await line.turn.acquire()
            except TimeoutError:
                return None
        else:
            await line.turn.acquire()
        try:
            while True:
                found = await self._ask(line, min(end - _now(), _SLICE))
                if found is not None and line is self._alive and _attempt(found) > self._max_deliveries:
                    await self._bury(found)
                elif found is not None or _now() >= end:
                    return found
        finally:
            line.turn.release()

    async def _ask(self, line: _Line, wait: float) -> Msg | None:
        """The next message, if one comes in so many seconds; one that came for a cancelled consumer first."""
        client = await self._connected()
        while line.came:
            if (found := line.waiting(self.ack_wait)) is not None:
                return found
        number = str(next(line.numbers))
        line.statuses.clear()
        limit = b'"expires":%d' % (wait * 1e9) if wait > 0.001 else b'"no_wait":true'
        await client.publish(line.next_subject, b'{"batch":1,%b}' % limit, reply=f"{line.inbox}.{number}")
        try:
            async with asyncio.timeout(max(wait, 0) + self._timeout):
                status = None
                while status is None:
                    await line.arrival()
                    self.refuse_when_closed()
                    if (found := line.waiting(self.ack_wait)) is not None:
                        return found
                    status = line.statuses.pop(number, None)
        except TimeoutError:
            status = "no answer"
        if status not in _NOTHING:
            await self._make(client)  # somebody deleted the stream, if the server is there
        return None

    async def _publish(self, line: _Line, body: bytes, headers: dict[str, str] | None) -> str:
        client = await self._connected()
        stream = self._stream
        try:
            kept = await stream.publish(line.subject, body, self._timeout, headers=headers)
        except NoStreamResponseError:
            await self._make(client)  # somebody emptied the server
            kept = await stream.publish(line.subject, body, self._timeout, headers=headers)
        return str(kept.seq)

    async def _give_back(self, line: _Line, taken: Msg) -> None:
        """Let the message come again at once; where that fails, it comes after `ack_wait`."""
        try:
            with _PortErrors(self):
                if line is self._alive and _attempt(taken) >= self._max_deliveries:
                    await self._bury(taken)
                else:
                    client = await self._connected()
                    await client.publish(taken.reply, Msg.Ack.Nak)
        except QueueError:
            pass  # what the consumer raised says more

    async def _bury(self, taken: Msg) -> None:
        """The server drops the second of two copies of one dead letter, if somebody else buries it too."""
        headers = {**(taken.headers or {}), "Nats-Msg-Id": f"dead-{_identity(taken)}"}
        await self._publish(self._dead, taken.data, headers)
        await self._acknowledge(taken)

    async def _acknowledge(self, taken: Msg) -> None:
        """Over the connection there is now, which may be another than the one it came by."""
        client = await self._connected()
        await client.request(taken.reply, timeout=self._timeout)

    async def _connected(self) -> Client:
        """The connection; a new one where the last one broke."""
        self.refuse_when_closed()
        if self._client is not None and not self._client.is_closed:
            return self._client
        async with self._connecting:
            if self._client is not None and self._client.is_closed:
                broken, self._client = self._client, None
                await finish(_close(broken))
            self.refuse_when_closed()
            if self._client is None:
                self._client = await self._connect()
                self._stream = JetStreamContext(self._client, timeout=self._timeout)
            return self._client

    async def _connect(self) -> Client:
        """A connection to the first server that answers, all within `connect_timeout`."""
        errors = _Errors()
        try:
            async with asyncio.timeout(self._connect_timeout):
                for server in self._servers:
                    try:
                        return await self._connect_to(server, errors)
                    except (Error, OSError, ValueError) as error:
                        await errors.note(error)
        except TimeoutError as error:
            raise self._translated(errors.last or error) from None
        raise self._translated(errors.last or TimeoutError())

    async def _connect_to(self, server: str, errors: _Errors) -> Client:
        client = Client()
        user, password, token = self._secrets
        try:
            await client.connect(
                server,
                error_cb=errors.note,
                name=self._name,
                user=user,
                password=revealed(password),
                token=revealed(token),
                tls=ssl.create_default_context(cafile=self._tls_ca_certs) if self._tls else None,
                connect_timeout=self._connect_timeout,  # type: ignore[arg-type]  # any number does
                ping_interval=self._ping_interval,  # type: ignore[arg-type]
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
            )
            for line in (self._alive, self._dead):
                await line.listen(client)
            await self._make(client)
            self.refuse_when_closed()
        except BaseException:
            await finish(_close(client))
            raise
        return client

    async def _make(self, client: Client) -> None:
        """See that the stream and its two consumers are there."""
        manager = JetStreamContext(client, timeout=self._timeout)
        try:
            await manager.stream_info(self._queue)
        except NotFoundError:
            subjects = [self._alive.subject, self._dead.subject]
            kept = StreamConfig(name=self._queue, subjects=subjects, retention=RetentionPolicy.WORK_QUEUE)
            await manager.add_stream(kept)  # pyright: ignore[reportUnknownMemberType]
        for line in (self._alive, self._dead):
            config = ConsumerConfig(
                durable_name=line.name,
                filter_subject=line.subject,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=self.ack_wait,
                max_deliver=-1,
                max_ack_pending=-1,
            )
            await manager.add_consumer(self._queue, config)  # pyright: ignore[reportUnknownMemberType]

    def failure(self, error: BaseException) -> QueueError:
        """The port's error for what the SDK raised in a call."""
        if not self._opened:
            return QueueClosed("the queue was closed meanwhile", provider="nats")
        return self._translated(error)

    def _translated(self, error: BaseException) -> QueueError:
        if isinstance(error, QueueError):
            return error
        _, password, token = self._secrets
        what = f"{', '.join(self._servers)}: {told(error, password, token)}"
        if is_about_certificates(error):
            return QueueRefused(what, provider="nats", setting="tls_ca_certs")
        if isinstance(error, AuthorizationError) or "authorization" in what.lower() or "permissions" in what.lower():
            return QueueRefused(what, provider="nats", setting="password" if token is None else "token")
        if isinstance(error, TimeoutError):
            what = f"{', '.join(self._servers)}: no answer in time"
        return QueueUnavailable(what, provider="nats", setting="servers")

    def refuse_when_closed(self) -> None:
        if not self._opened:
            raise QueueClosed("the queue is not open", provider="nats")


class _Delivery(AbstractAsyncContextManager[Message | None]):
    """A message, if one comes, for the block of a consumer."""

    def __init__(self, queue: NATSQueue, line: _Line, wait: float) -> None:
        self._queue = queue
        self._line = line
        self._wait = wait
        self._taken: Msg | None = None
        self._end = 0.0

    async def __aenter__(self) -> Message | None:
        self._taken = taken = await self._queue.take(self._line, self._wait)
        self._end = _now() + self._queue.ack_wait
        return None if taken is None else _message(taken)

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._taken is not None and (error is None or _now() < self._end):
            await self._queue.settle(self._line, self._taken, done=error is None)


class _PortErrors:
    """For `with`: the errors of the port for those of the SDK. A class: half the time of a generator."""

    def __init__(self, queue: NATSQueue) -> None:
        self._queue = queue

    def __enter__(self) -> None:
        self._queue.refuse_when_closed()
        self._asked = cancellations()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None and cancellations() > self._asked:
            raise asyncio.CancelledError
        if isinstance(error, asyncio.CancelledError) and _cancelled_from_outside():
            return
        if isinstance(error, Error | OSError | TimeoutError | ValueError | asyncio.CancelledError):
            raise self._queue.failure(error) from None


class _Errors:
    """What went wrong on a connection: the last that says more than that there is none."""

    def __init__(self) -> None:
        self.last: Exception | None = None

    async def note(self, error: Exception) -> None:
        if self.last is None or not isinstance(error, NoServersError):
            self.last = error


class _Line:
    """The queue, or its dead letters: a subject with its consumer, and what came from the server."""

    def __init__(self, queue: str, name: str) -> None:
        self.name = name
        self.subject = f"{queue}.{name}"
        self.next_subject = f"$JS.API.CONSUMER.MSG.NEXT.{queue}.{name}"
        self.turn = asyncio.Lock()
        self.numbers = count(1)  # of requests, so that a late status is not taken for that of the next one
        self.inbox = ""
        self.came: list[tuple[float, Msg]] = []
        self.statuses: dict[str, str] = {}
        self._arrived = asyncio.Event()

    async def listen(self, client: Client) -> None:
        self.inbox = client.new_inbox()
        self.came.clear()
        await client.subscribe(f"{self.inbox}.*", cb=self._keep)  # pyright: ignore[reportUnknownMemberType]

    async def arrival(self) -> None:
        """Wait until something comes."""
        await self._arrived.wait()
        self._arrived.clear()

    def waiting(self, ack_wait: float) -> Msg | None:
        """A message that came, and has not gone to another consumer since."""
        while self.came:
            when, found = self.came.pop(0)
            if _now() < when + ack_wait:
                return found
        return None

    def let_go(self) -> None:
        self._arrived.set()

    async def _keep(self, message: Msg) -> None:
        status = (message.headers or {}).get("Status")
        if status is None:
            self.came.append((_now(), message))
        else:
            self.statuses[message.subject.rpartition(".")[2]] = status
        self._arrived.set()


async def _close(client: Client) -> None:
    """Close a connection; where the SDK gives up on the way, since the server is gone, end what it left."""
    with suppress(Error, OSError):
        await client.close()
    left: Any = client
    for subscription in list(left._subs.values()):
        subscription._stop_processing()
    if left._transport:
        left._transport.close()
    await asyncio.sleep(0)


def _checked(servers: list[str]) -> list[str]:
    for server in servers:
        try:
            parts = urlsplit(server)
            fine = parts.scheme in ("nats", "tls") and parts.hostname and parts.port != 0 and not parts.path
        except ValueError:
            raise _FAULTS.no_sense("has an entry that is no URL", "servers") from None
        if not fine:
            raise _FAULTS.no_sense(
                "has an entry that is not of the form nats://HOST:PORT or tls://HOST:PORT", "servers"
            )
        if "@" in parts.netloc:
            raise _FAULTS.no_sense("has an entry with credentials: user, password and token are for that", "servers")
    if not servers:
        raise _FAULTS.no_sense("is empty", "servers")
    return servers


def _cancelled_from_outside() -> bool:
    """Whether this task was cancelled, and not only something it waits for: the SDK does that when it closes."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _now() -> float:
    return asyncio.get_running_loop().time()


def _attempt(taken: Msg) -> int:
    return taken.metadata.num_delivered or 1


def _identity(taken: Msg) -> str:
    return str(taken.metadata.sequence.stream)


def _quoted(headers: Mapping[str, str]) -> dict[str, str]:
    """Header values as ASCII: the protocol has no other text."""
    return {name: quote(value, safe=_SAFE) for name, value in headers.items()}


def _message(taken: Msg) -> Message:
    headers = {name: unquote(value) for name, value in (taken.headers or {}).items() if _HEADER.fullmatch(name)}
    return Message(_identity(taken), taken.data, MappingProxyType(headers), _attempt(taken))
