"""The connections of the queue `rabbitmq`, and the errors of the port for what goes wrong on them."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

from aio_pika import Connection as Client
from aio_pika.connection import make_url
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from aiormq.abc import AbstractConnection
from aiormq.connection import TransportFactory
from aiormq.exceptions import (
    ChannelAccessRefused,
    ChannelLockedResource,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    DeliveryError,
)
from yarl import URL

from oneiric.adapters._common.finish import finish
from oneiric.adapters._common.network import Faults, is_about_certificates, revealed, told
from oneiric.adapters.queue import QueueClosed, QueueError, QueueMisconfigured, QueueRefused, QueueUnavailable
from oneiric.adapters.queue._port_errors import PortErrors
from oneiric.secret import Secret

FAULTS = Faults("rabbitmq", QueueUnavailable, QueueRefused, QueueMisconfigured)
_ABOUT_THE_QUEUE = (ChannelPreconditionFailed, ChannelLockedResource)
_MAX_HEARTBEAT = 65534
_LEAVING = 0.5  # seconds to take leave of the server
_PORTS = {"amqp": 5672, "amqps": 5671}
_Result = TypeVar("_Result")


class Address(NamedTuple):
    """Where a server is, the virtual host and the user."""

    host: str
    port: int
    tls: bool
    vhost: str
    user: str
    password: Secret

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def address_of(url: str, user: str | None, password: Secret | None) -> Address:
    """The address in `amqp://HOST:PORT/VHOST` or `amqps://…`; raises the port's error."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise FAULTS.no_sense("is not a URL", "url") from None
    vhost = parts.path.removeprefix("/")
    if parts.scheme not in _PORTS or not parts.hostname or port == 0 or parts.query or parts.fragment or "/" in vhost:
        raise FAULTS.no_sense("is not of the form amqp://HOST:PORT/VHOST or amqps://HOST:PORT/VHOST", "url")
    if (parts.username or parts.password) and (user or password):
        raise FAULTS.no_sense("names a user or password, and the settings user and password do too", "url")
    user = unquote(parts.username) if parts.username else user
    password = Secret(unquote(parts.password)) if parts.password else password
    if (user is None) != (password is None):
        raise FAULTS.no_sense("user and password go together", "user" if user is None else "password")
    FAULTS.check_text(user=user)
    who = (user, password) if user is not None and password is not None else ("guest", Secret("guest"))
    return Address(parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "amqps", unquote(vhost) or "/", *who)


class Connection:
    """A connection that is made when it is needed, and anew where it broke. The settings are those of the queue."""

    broken = (*CONNECTION_EXCEPTIONS, ValueError, struct.error)
    translated = (*broken, asyncio.CancelledError)

    def __init__(
        self,
        address: Address,
        *,
        ca_file: Path | None,
        client_name: str,
        timeout: float,
        connect_timeout: float,
        heartbeat: int,
    ) -> None:
        FAULTS.check_above_zero(timeout=timeout, connect_timeout=connect_timeout, heartbeat=heartbeat)
        if heartbeat > _MAX_HEARTBEAT:
            raise FAULTS.no_sense(f"{heartbeat} is above {_MAX_HEARTBEAT}", "heartbeat")
        if ca_file is not None and not address.tls:
            raise FAULTS.no_sense("is given, but the connection is without TLS", "ca_file")
        if ca_file is not None and not ca_file.is_file():
            raise FAULTS.no_sense(f"{ca_file} is not a file", "ca_file")
        self._address = address
        self._ca_file = ca_file
        self._client_name = client_name
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._heartbeat = heartbeat
        self._client: _Client | None = None
        self._opened = False
        self._turn = asyncio.Lock()
        self._beside: set[asyncio.Task[Any]] = set()

    def open(self) -> None:
        """Let it be made from now on."""
        self._opened = True

    async def close(self) -> None:
        self._opened = False
        client, self._client = self._client, None
        if client is not None:
            await finish(client.leave())
        for task in self._beside:
            task.cancel()
        if self._beside:
            await finish(asyncio.wait(set(self._beside)))

    @property
    def line(self) -> AbstractConnection | None:
        """The SDK's connection of now, unless it broke or is closed."""
        return None if self._client is None else self._client.line

    async def renewed(self) -> Client:
        """The SDK's client, a new one where the last one broke."""
        async with self._turn:
            if self._client is not None and self._client.line is None:
                broken, self._client = self._client, None
                await finish(broken.leave())
            self.refuse_when_closed()
            if self._client is None:
                self._client = await self._connected()
            return self._client

    async def ask(self, exchange: Coroutine[Any, Any, _Result]) -> _Result:
        """The result of an exchange with the server, which no cancellation interrupts: a channel that is left in the
        middle of one is closed, and what came by it comes again. Where it is not over in time, the connection is
        given up."""
        return await self._within(self._timeout, exchange, self._client)

    async def try_for(self, seconds: float, work: Coroutine[Any, Any, object]) -> None:
        """Do what may be given up by itself; `TimeoutError` when it is not over in time."""
        task = self.beside(work)
        try:
            await asyncio.wait((task,), timeout=seconds)
            if not task.done():
                raise TimeoutError
            task.result()
        finally:
            task.cancel()

    def beside(self, work: Coroutine[Any, Any, _Result]) -> asyncio.Task[_Result]:
        """Begin what nobody has to wait for; it ends with the connection."""
        task = asyncio.ensure_future(work)
        self._beside.add(task)
        task.add_done_callback(self._over)
        return task

    def errors(self) -> PortErrors:
        """For `with`: the errors of the port for those of the SDK."""
        return PortErrors(self)

    def refuse_when_closed(self) -> None:
        if not self._opened:
            raise QueueClosed("the queue is not open", provider="rabbitmq")

    def failure(self, error: BaseException) -> QueueError:
        """The port's error for what the SDK raised."""
        if not self._opened:
            return QueueClosed("the queue was closed meanwhile", provider="rabbitmq")
        if isinstance(error, QueueError):
            return error
        what = f"{self._address}: {told(error, self._address.password)}"
        if is_about_certificates(error):
            return QueueRefused(what, provider="rabbitmq", setting="ca_file")
        if isinstance(error, ChannelAccessRefused):
            return QueueRefused(what, provider="rabbitmq", setting="user")
        if isinstance(error, _ABOUT_THE_QUEUE):
            return QueueRefused(what, provider="rabbitmq", setting="queue")
        if isinstance(error, DeliveryError):
            what = f"{self._address}: the queue did not take the message"
        if isinstance(error, ChannelNotFoundEntity | DeliveryError):
            return QueueUnavailable(what, provider="rabbitmq", setting="queue")
        if isinstance(error, TimeoutError | StopAsyncIteration):
            what = f"{self._address}: {'no answer in time' if isinstance(error, TimeoutError) else 'it hung up'}"
        return QueueUnavailable(what, provider="rabbitmq", setting="url")

    async def _connected(self) -> _Client:
        trusted = FAULTS.trusting(self._ca_file) if self._address.tls else None
        client = _Client(self._url(), trusted)
        try:
            await self._within(self._connect_timeout, client.connect(), client)
            self.refuse_when_closed()
        except BaseException as error:
            await finish(client.leave())
            if isinstance(error, Exception):
                raise self._refusal(error) from None
            raise
        return client

    async def _within(self, seconds: float, exchange: Coroutine[Any, Any, _Result], client: _Client | None) -> _Result:
        late = False

        def give_up() -> None:
            nonlocal late
            late = True
            if client is not None:
                client.abort()

        timer = asyncio.get_running_loop().call_later(seconds, give_up)
        try:
            return await finish(exchange)
        except (Exception, asyncio.CancelledError):
            if late:
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()

    def _url(self) -> URL:
        address = self._address
        return make_url(
            host=address.host,
            port=address.port,
            login=address.user,
            password=revealed(address.password) or "",
            virtualhost=address.vhost,
            ssl=address.tls,
            heartbeat=self._heartbeat,
            name=self._client_name,
        )

    def _refusal(self, error: Exception) -> Exception:
        """The port's error where the server says why it takes no connection, else the error."""
        what = f"{self._address}: {told(error, self._address.password)}"
        if "ACCESS_REFUSED" in str(error):
            return QueueRefused(what, provider="rabbitmq", setting="password")
        if "Connection.Close" in str(error):  # which the SDK takes for a frame out of order: what it says is lost
            what = f"{self._address}: {self._address.user} may not enter the virtual host {self._address.vhost}"
            return QueueRefused(what, provider="rabbitmq", setting="url")
        return error

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._beside.discard(task)
        if not task.cancelled():
            task.exception()


class _Client(Client):
    """The SDK's, over a socket that can be closed at once."""

    def __init__(self, url: URL, trusted: ssl.SSLContext | None) -> None:
        super().__init__(url)
        self._socket = _Socket(trusted)
        self.kwargs["transport_factory"] = self._socket

    @property
    def line(self) -> AbstractConnection | None:
        if self.transport is None or self._socket.is_closing() or not self.transport.connection.is_opened:
            return None
        return self.transport.connection

    def abort(self) -> None:
        self._socket.abort()

    async def leave(self) -> None:
        """Close it, and end what the SDK leaves where the server is gone."""
        late = asyncio.get_running_loop().call_later(_LEAVING if self.line is not None else 0, self.abort)
        with suppress(*Connection.translated):
            await self.close()
        late.cancel()
        self.abort()
        for _ in range(10):
            await asyncio.sleep(0)


class _Socket(TransportFactory):
    """Makes the connection of one client."""

    def __init__(self, trusted: ssl.SSLContext | None) -> None:
        self._trusted = trusted
        self._connecting: asyncio.Task[tuple[asyncio.StreamReader, asyncio.StreamWriter]] | None = None
        self._transport: asyncio.WriteTransport | None = None

    async def create(self, url: URL, **others: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._connecting = asyncio.ensure_future(asyncio.open_connection(url.host, url.port, ssl=self._trusted))
        reader, writer = await self._connecting
        self._transport = writer.transport
        return reader, writer

    def is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        elif self._connecting is not None:
            self._connecting.cancel()
