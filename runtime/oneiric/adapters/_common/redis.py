"""A Redis server: what `cache/redis` and `queue/redis-streams` have in common."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, RedisError, ResponseError

from oneiric.adapters._common.network import Faults, cancellations, is_about_certificates, revealed, told
from oneiric.adapters._common.permits import Permits
from oneiric.errors import AdapterError
from oneiric.secret import Secret

_REFUSALS = (AuthenticationError, AuthorizationError, NoPermissionError)


class RedisAddress(NamedTuple):
    """Where a server is, and the user; `setting` is the one that said so."""

    setting: str
    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    db: int = 0
    tls: bool = False
    user: str | None = None
    password: Secret | None = None

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


def address_of(url: str, user: str | None, password: Secret | None, faults: Faults) -> RedisAddress:
    """The address in `redis://HOST:PORT/DB`, `rediss://…` or `unix:///PATH?db=…`; raises the port's error."""
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
    except ValueError:
        raise faults.no_sense("is not a URL", "url") from None
    if parts.scheme not in ("redis", "rediss", "unix") or parts.query or parts.fragment or parts.port == 0:
        raise faults.no_sense("is not of the form redis://HOST:PORT/DB, rediss:// or unix:///PATH", "url")
    if (parts.username and user) or (parts.password and password):
        raise faults.no_sense("names a user or password, and the settings user and password do too", "url")
    user = unquote(parts.username) if parts.username else user
    password = Secret(unquote(parts.password)) if parts.password else password
    if parts.scheme == "unix":
        if not parts.path or parts.hostname:
            raise faults.no_sense("is not of the form unix:///PATH", "url")
        return RedisAddress("url", path=unquote(parts.path), user=user, password=password)
    db = parts.path.strip("/") or "0"
    if not parts.hostname or not db.isascii() or not db.isdigit():
        raise faults.no_sense("is not of the form redis://HOST:PORT/DB", "url")
    return RedisAddress("url", parts.hostname, port, None, int(db), parts.scheme == "rediss", user, password)


class RedisServer:
    """A client of at most `max_connections` connections; a call waits up to `timeout` seconds for a free one.

    Nothing is tried twice: whoever calls knows whether that is harmless. Raises the errors of the port, `closed` when
    it is not open, and `ResponseError` where the server says what the caller `expected` (a pattern).
    """

    def __init__(
        self,
        address: RedisAddress,
        faults: Faults,
        closed: type[AdapterError],
        expected: str,
        *,
        ca_file: Path | None,
        timeout: float,
        healthcheck_timeout: float,
        max_connections: int,
        client_name: str,
    ) -> None:
        faults.check_above_zero(
            timeout=timeout, healthcheck_timeout=healthcheck_timeout, max_connections=max_connections
        )
        if ca_file is not None and not address.tls:
            raise faults.no_sense("is given, but the connection is without TLS", "ca_file")
        if not address.host:
            raise faults.no_sense("is empty", "host")
        if not 0 < address.port < 65536:
            raise faults.no_sense(f"{address.port} is not a valid port", "port")
        if address.db < 0:
            raise faults.no_sense(f"{address.db} is below 0", "db")
        if ca_file is not None and not ca_file.is_file():
            raise faults.no_sense(f"{ca_file} is not a file", "ca_file")
        if " " in client_name or not client_name.isprintable() or not client_name.isascii():
            raise faults.no_sense("has other characters than ASCII, spaces or control characters", "client_name")
        self._address = address
        self._faults = faults
        self._closed = closed
        self._expected = re.compile(expected)
        self._ca_file = ca_file
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout
        self._max_connections = max_connections
        self._client_name = client_name
        self._client: Any = None  # a Redis; its methods are half typed
        self._permits = Permits(max_connections)

    async def open(self) -> None:
        """Connect, and see that the server answers."""
        await self.close()
        address = self._address
        self._client = Redis(
            host=address.host,
            port=address.port,
            unix_socket_path=address.path,
            db=address.db,
            username=address.user,
            password=revealed(address.password),
            socket_timeout=self._timeout,
            socket_connect_timeout=self._timeout,
            client_name=self._client_name or None,
            max_connections=2 * self._max_connections,  # `_permits` is the limit
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            ssl=address.tls,
            ssl_ca_certs=None if self._ca_file is None else str(self._ca_file),
        )
        self._client.response_callbacks.clear()  # replies as the server sends them, whatever the SDK's release
        await self.ping()

    async def ping(self) -> None:
        """See that the server answers in time."""
        try:
            async with asyncio.timeout(self._healthcheck_timeout):
                await self.run("PING")
        except TimeoutError:
            what = f"{self._address}: no answer in {self._healthcheck_timeout:g} s"
            raise self._faults.no_answer(what, self._address.setting) from None

    def close(self) -> Awaitable[None]:
        """Drop all connections, from now on and also if nobody waits for it to the end; calls under way fail."""
        client, self._client = self._client, None
        return asyncio.shield(asyncio.ensure_future(_drop(client)))

    async def run(self, *command: bytes | str | int) -> Any:
        """The reply to one command."""
        if not self._permits.take():
            await self._permits.wait_in_time(self._faults, "max_connections", self._timeout)
        asked = cancellations()
        try:
            reply = await self._opened().execute_command(*command)
        except Exception as error:
            raise self._failure(error) from None
        finally:
            self._permits.give_back()
        if cancellations() > asked:
            raise asyncio.CancelledError
        return reply

    async def run_together(self, *commands: tuple[bytes | str | int, ...]) -> list[Any]:
        """The replies to commands that run as one, without others in between."""
        if not self._permits.take():
            await self._permits.wait_in_time(self._faults, "max_connections", self._timeout)
        asked = cancellations()
        try:
            async with self._opened().pipeline(transaction=True) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                replies: list[Any] = await pipeline.execute()
        except Exception as error:
            raise self._failure(error) from None
        finally:
            self._permits.give_back()
        if cancellations() > asked:
            raise asyncio.CancelledError
        return replies

    @asynccontextmanager
    async def subscribed(self, channel: str) -> AsyncGenerator[Callable[[float], Awaitable[bytes | None]], None]:
        """What gives the next message of a channel, if one comes in so many seconds, over a connection of its own."""
        try:
            subscription = self._opened().pubsub(ignore_subscribe_messages=True)
            await subscription.subscribe(channel)
            await subscription.get_message(timeout=self._timeout)  # the server's word that it is subscribed
        except Exception as error:
            raise self._failure(error) from None

        async def receive(wait: float) -> bytes | None:
            asked = cancellations()
            self._opened()
            try:
                found = await subscription.get_message(timeout=wait)
            except Exception as error:
                raise self._failure(error) from None
            if cancellations() > asked:
                raise asyncio.CancelledError
            if found is None:
                await self.run("PING")  # a server that is gone says nothing either
                return None
            body: bytes = found["data"]
            return body

        try:
            yield receive
        finally:
            with suppress(RedisError, OSError):
                await subscription.aclose()

    async def listening(self, channel: str, *command: str) -> Any:
        """A connection beside those of calls that hears a channel; the command, ended by the connection's id, leads
        messages there. Whoever has it disconnects it."""
        connection = self._opened().connection_pool.make_connection()

        async def ask(*words: str) -> Any:
            await connection.send_command(*words)
            return await connection.read_response()

        try:
            async with asyncio.timeout(self._timeout):
                await connection.connect()
                identity: int = await ask("CLIENT", "ID")
                await ask(*command, str(identity))
                await ask("SUBSCRIBE", channel)
        except BaseException as error:
            await drop(connection)
            if isinstance(error, Exception):
                raise self._failure(error) from None
            raise
        return connection

    def _opened(self) -> Any:
        if self._client is None:
            raise self._closed("it is not open", provider=self._faults.provider)
        return self._client

    def _failure(self, error: Exception) -> Exception:
        """What to raise for what the SDK raised."""
        if isinstance(error, ResponseError) and self._expected.match(str(error)):
            return error
        if self._client is None:
            return self._closed("it was closed meanwhile", provider=self._faults.provider)
        what = f"{self._address}: {told(error, self._address.password)}"
        if is_about_certificates(error):
            return self._faults.no_entry(what, "ca_file")
        if isinstance(error, _REFUSALS):
            return self._faults.no_entry(what, "password")
        return self._faults.no_answer(what, self._address.setting)


async def drop(connection: Any) -> None:
    """Disconnect; one that breaks while it is closed is closed."""
    with suppress(RedisError, OSError):
        await connection.disconnect(nowait=True)


async def _drop(client: Any) -> None:
    if client is not None:
        with suppress(RedisError, OSError):  # a connection that breaks while it is closed is closed
            await client.aclose()
