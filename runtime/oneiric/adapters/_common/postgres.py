"""What providers over asyncpg have in common: where the server is, connections to it, and what its errors mean."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import asyncpg

from oneiric.adapters._common.network import Faults, is_about_certificates, told
from oneiric.adapters._common.pool import Link, Pool
from oneiric.errors import AdapterError
from oneiric.secret import Secret

_UNAVAILABLE = ("08", "53", "57", "58", "XX")  # connection, resources, operator intervention, system, internal


class Address(NamedTuple):
    """Where the server is, and the user; `setting` is the one that said so."""

    setting: str
    host: str
    port: int
    user: str
    password: Secret | None
    database: str


_DEFAULT = Address("host", "localhost", 5432, "postgres", None, "postgres")


class PostgresServer:
    """A server, as settings name it. Raises the port's errors, for settings at once."""

    def __init__(
        self,
        faults: Faults,
        url: str | None,
        host: str,
        port: int,
        user: str,
        password: Secret | None,
        database: str,
        tls: bool,
        ca_file: Path | None,
    ) -> None:
        address = Address("host", host, port, user, password, database)
        if url is not None:
            if address._replace(password=None) != _DEFAULT:
                raise faults.no_sense("is given, and host, port, user or database too: write it once", "url")
            address = _address_of(faults, url, password)
        faults.check_text(host=address.host, user=address.user, database=address.database)
        if password is not None and password.reveal():
            faults.check_text(password=password.reveal())
        if not 0 < address.port < 65536:
            raise faults.no_sense(f"{address.port} is not a valid port", "port")
        self.place = f"{address.host}:{address.port}"
        self.setting = address.setting
        self._faults = faults
        self._address = address
        self._tls = faults.trusting_if(tls, ca_file)

    async def connected(self, timeout: float, **session: str) -> asyncpg.Connection:
        """A connection with these settings of its session. The caller keeps the time: `timeout` is far beyond it."""
        address = self._address
        try:
            return await asyncpg.connect(
                host=address.host,
                port=address.port,
                user=address.user,
                password=address.password.reveal() if address.password else "",  # None would ask the environment
                database=address.database,
                ssl=self._tls or False,
                timeout=timeout,
                server_settings={"application_name": "oneiric", **session},
            )
        except Exception as error:
            raise self.fault(error) or self._no_answer(self.told(error)) from None

    def fault(self, error: Exception) -> AdapterError | None:
        """The port's error for what the SDK raised, unless it is about the statement."""
        if isinstance(error, AdapterError):
            return error
        what = self.told(error)
        code: str | None = getattr(error, "sqlstate", None)
        if is_about_certificates(error):
            return self._no_entry(what, "ca_file")
        if self._tls and "rejected SSL" in what:
            return self._no_entry(what, "tls")
        if code is None or code.startswith(_UNAVAILABLE):
            return self._no_answer(what)
        if code.startswith("28") or code == "42501":
            return self._no_entry(what, "password" if code == "28P01" else "user")
        if code == "3D000":
            return self._faults.no_answer(f"{self.place}: {what}", "database")
        return None

    def told(self, error: Exception) -> str:
        """What the SDK's error says, without the password."""
        return told(error, self._address.password)

    def _no_entry(self, what: str, setting: str) -> AdapterError:
        return self._faults.no_entry(f"{self.place}: {what}", setting)

    def _no_answer(self, what: str) -> AdapterError:
        return self._faults.no_answer(f"{self.place}: {what}", self.setting)


class PostgresLink(Link):
    """A connection of the SDK, in a pool."""

    def __init__(self, pool: Pool[Any], connection: asyncpg.Connection) -> None:
        super().__init__(pool)
        self._connection = connection

    @property
    def is_open(self) -> bool:
        return not self._connection.is_closed()

    @property
    def in_transaction(self) -> bool:
        return self.is_open and self._connection.is_in_transaction()

    async def _close(self) -> None:
        with suppress(Exception):  # what cannot be closed is cut
            await self._connection.close()

    async def _abandon(self) -> None:
        await self._close()  # waits for the cancel request that the SDK has sent

    def cut(self) -> None:
        self._connection.terminate()


def _address_of(faults: Faults, url: str, password: Secret | None) -> Address:
    """The address in a DSN; raises the port's error."""
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
    except ValueError:
        raise faults.no_sense("is not a URL", "url") from None
    path = parts.path.removeprefix("/")
    if parts.scheme not in ("postgresql", "postgres") or parts.query or parts.fragment or "/" in path:
        raise faults.no_sense("is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE", "url")
    if not parts.hostname:
        raise faults.no_sense("names no host", "url")
    if parts.port == 0 or "\0" in unquote(url):
        raise faults.no_sense("has a NUL, or the port 0", "url")
    if parts.password and password:
        raise faults.no_sense("has a password, and the setting password does too", "url")
    user, database = unquote(parts.username or _DEFAULT.user), unquote(path or _DEFAULT.database)
    secret = Secret(unquote(parts.password)) if parts.password else password
    return Address("url", parts.hostname, port, user, secret, database)
