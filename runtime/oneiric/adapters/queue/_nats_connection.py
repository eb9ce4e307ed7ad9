"""The connection of the queue `nats`, and the errors of the port for what goes wrong on it."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nats.aio.client import Client
from nats.errors import AuthorizationError, Error, NoServersError
from nats.js.errors import APIError

from oneiric.adapters._common.finish import finish
from oneiric.adapters._common.network import Faults, is_about_certificates, revealed, told
from oneiric.adapters.queue import QueueClosed, QueueError, QueueMisconfigured, QueueRefused, QueueUnavailable
from oneiric.adapters.queue._port_errors import PortErrors
from oneiric.secret import Secret

FAULTS = Faults("nats", QueueUnavailable, QueueRefused, QueueMisconfigured)
_ADDRESS = re.compile(r"(nats|tls)://[^\s\0/?#]+")
_LEAVING = 0.5  # seconds to take leave of the server


class Connection:
    """A connection to the first server that answers; where it breaks, the next call makes a new one.

    `prepare` is called with a new connection before anybody else has it. The settings are those of the queue.
    """

    translated = (Error, OSError, TimeoutError, ValueError, asyncio.CancelledError)

    def __init__(
        self,
        prepare: Callable[[Client], Awaitable[None]],
        *,
        servers: list[str],
        user: str | None,
        password: Secret | None,
        token: Secret | None,
        tls: bool,
        ca_file: Path | None,
        client_name: str,
        timeout: float,
        connect_timeout: float,
        ping_interval: float,
    ) -> None:
        FAULTS.check_above_zero(timeout=timeout, connect_timeout=connect_timeout, ping_interval=ping_interval)
        if token is not None and (user or password is not None):
            raise FAULTS.no_sense("is given, and user or password too: use one or the other", "token")
        if (user is None) != (password is None):
            raise FAULTS.no_sense("user and password go together", "user" if user is None else "password")
        if ca_file is not None and not ca_file.is_file():
            raise FAULTS.no_sense(f"{ca_file} is not a file", "ca_file")
        _check_servers(servers)
        self._prepare = prepare
        self._servers = servers
        self._secrets = user, password, token
        self._tls = tls or ca_file is not None
        self._ca_file = ca_file
        self._client_name = client_name
        self.timeout = timeout
        self._connect_timeout = connect_timeout
        self._ping_interval = ping_interval
        self._client: Client | None = None
        self._errors = _Errors()
        self._opened = False
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        self._opened = True
        with self.errors():
            await self.renewed()

    async def close(self) -> None:
        self._opened = False
        client, self._client = self._client, None
        if client is not None:
            await finish(_close(client))

    @property
    def client(self) -> Client | None:
        """The SDK's client, unless it broke or is closed."""
        return None if self._client is None or self._client.is_closed else self._client

    async def renewed(self) -> Client:
        """A new client, where the last one broke."""
        async with self._turn:
            if self._client is not None and self._client.is_closed:
                broken, self._client = self._client, None
                await finish(_close(broken))
            self.refuse_when_closed()
            if self._client is None:
                self._client = await self._connected()
            return self._client

    def errors(self) -> PortErrors:
        """For `with`: the errors of the port for those of the SDK."""
        return PortErrors(self)

    def refuse_when_closed(self) -> None:
        if not self._opened:
            raise QueueClosed("the queue is not open", provider="nats")

    def raise_what_was_said(self) -> None:
        """Raise what the server said by itself: what it refuses has no other answer."""
        said, self._errors.last = self._errors.last, None
        if said is not None:
            raise said

    def failure(self, error: BaseException) -> QueueError:
        """The port's error for what the SDK raised in a call."""
        if not self._opened:
            return QueueClosed("the queue was closed meanwhile", provider="nats")
        if isinstance(error, TimeoutError):
            error, self._errors.last = self._errors.last or error, None
        return self._translated(error)

    async def _connected(self) -> Client:
        """A connection to the first server that answers, all within `connect_timeout`."""
        self._errors = errors = _Errors()
        try:
            async with asyncio.timeout(self._connect_timeout):
                for server in self._servers:
                    try:
                        client = await self._connect_to(server)
                        errors.last = None
                        return client
                    except (Error, OSError, ValueError) as error:
                        await errors.note(error)
        except TimeoutError as error:
            raise self._translated(errors.last or error) from None
        raise self._translated(errors.last or TimeoutError())

    async def _connect_to(self, server: str) -> Client:
        client = _Client()
        tls = self._tls or server.startswith("tls:")
        user, password, token = self._secrets
        try:
            await client.connect(
                server,
                error_cb=self._errors.note,
                name=self._client_name,
                user=user,
                password=revealed(password),
                token=revealed(token),
                tls=ssl.create_default_context(cafile=self._ca_file) if tls else None,
                connect_timeout=self._connect_timeout,  # type: ignore[arg-type]  # any number does
                ping_interval=self._ping_interval,  # type: ignore[arg-type]
                flush_timeout=self.timeout,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
            )
            await self._prepare(client)
            self.refuse_when_closed()
        except BaseException:
            await finish(_close(client))
            raise
        return client

    def _translated(self, error: BaseException) -> QueueError:
        if isinstance(error, QueueError):
            return error
        _, password, token = self._secrets
        what = f"{', '.join(self._servers)}: {told(error, password, token)}"
        if is_about_certificates(error):
            return QueueRefused(what, provider="nats", setting="ca_file")
        if isinstance(error, _NotEncrypted):
            return QueueRefused(what, provider="nats", setting="tls")
        said = str(error).lower()  # a short secret may be part of any word
        if "permissions violation" in said:
            return QueueRefused(what, provider="nats", setting="user" if token is None else "token")
        if isinstance(error, AuthorizationError) or "authorization" in said:
            return QueueRefused(what, provider="nats", setting="password" if token is None else "token")
        if isinstance(error, APIError):
            return QueueUnavailable(what, provider="nats", setting="queue")
        if isinstance(error, TimeoutError):
            what = f"{', '.join(self._servers)}: no answer in time"
        return QueueUnavailable(what, provider="nats", setting="servers")


class _Client(Client):
    """The SDK's, which would send credentials in the clear, even where TLS is insisted on."""

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if initial_connection and "tls" in self.options:
            info["tls_required"] = info.get("tls_required") or info.get("tls_available")
            if not info["tls_required"]:
                raise _NotEncrypted("the server does not encrypt")
        await super()._process_info(info, initial_connection)


class _NotEncrypted(Error):
    """What ought to be encrypted would not be."""


class _Errors:
    """What went wrong on a connection: the last that says more than that there is none."""

    def __init__(self) -> None:
        self.last: Exception | None = None

    async def note(self, error: Exception) -> None:
        if self.last is None or not isinstance(error, NoServersError):
            self.last = error


async def _close(client: Client) -> None:
    """Close a connection, and end what the SDK leaves where the server is gone or never was."""
    if client.is_connected:
        with suppress(Error, OSError, TimeoutError):
            async with asyncio.timeout(_LEAVING):
                await client.close()
    left: Any = client
    for subscription in list(left._subs.values()):
        subscription._stop_processing()
    for waiting in list(left._resp_map.values()):
        waiting.cancel()
    if left._transport:
        left._transport._io_writer.transport.abort()
    await asyncio.sleep(0)


def _check_servers(servers: list[str]) -> None:
    """Raise the port's error unless these are addresses of servers."""
    if not servers:
        raise FAULTS.no_sense("is empty", "servers")
    for server in servers:
        try:
            parts = urlsplit(server)
            fine = _ADDRESS.fullmatch(server) and parts.hostname and parts.port != 0
        except ValueError:
            raise FAULTS.no_sense("has an entry that is not a URL", "servers") from None
        if not fine:
            raise FAULTS.no_sense("has an entry that is not of the form nats://HOST:PORT or tls://HOST:PORT", "servers")
        if "@" in server:
            raise FAULTS.no_sense("has an entry with credentials: user, password and token are for that", "servers")
