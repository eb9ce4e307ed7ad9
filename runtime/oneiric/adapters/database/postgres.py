"""Database provider `postgres`: a PostgreSQL server, through asyncpg. Needs the extra `database-postgres`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import asyncpg

from oneiric import Secret, component
from oneiric.adapters._common.network import Faults, is_about_certificates, told
from oneiric.adapters.database import (
    DatabaseMisconfigured,
    DatabaseRefused,
    DatabaseUnavailable,
    IntegrityError,
    QueryError,
    Row,
    TransactionConflict,
    Value,
)
from oneiric.adapters.database._placeholders import POSTGRES, pieces
from oneiric.adapters.database._pooled import Limits, PooledDatabase, tls_context
from oneiric.adapters.database._transactions import StatementResult
from oneiric.errors import AdapterError

_FAULTS = Faults("postgres", DatabaseUnavailable, DatabaseRefused, DatabaseMisconfigured)
_REMEMBERED = 512  # statements
_CHANGES = ("INSERT", "UPDATE", "DELETE", "MERGE")
_UNAVAILABLE = ("08", "53", "57", "58", "XX")  # connection, resources, operator intervention, system, internal
_CREATES = re.compile(r"\s*CREATE\s[\w\s]*?\bIF\s+NOT\s+EXISTS\b", re.IGNORECASE)
_DUPLICATES = ("42P06", "42P07", "42710")  # schema, relation, object
_CONFLICTS = ("40001", "40P01", "55P03")  # serialization, deadlock, lock


class _Address(NamedTuple):
    """Where the server is, and the user; `setting` is the one that said so."""

    setting: str
    host: str
    port: int
    user: str
    password: Secret | None
    database: str


_DEFAULT = _Address("host", "localhost", 5432, "postgres", None, "postgres")


@component(
    "adapter",
    "database",
    provider="postgres",
    priority=0,
    stack_level=-20,
    capabilities=("sql", "transactions", "transactional-ddl", "pool"),
    port="oneiric.adapters.database:Database",
)
class PostgresDatabase(PooledDatabase):
    """A database of a PostgreSQL server, over a pool of connections.

    Needs a PostgreSQL server 12 or later; the extra `database-postgres`.

    Transactions see the database as it was at their first statement (REPEATABLE READ).

    `url`: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`; instead of the same in parts.
    `host`: where the server is; a path is the folder of a Unix socket.
    `port`: the server's port.
    `user`: the user name.
    `password`: the user's password.
    `database`: the database of the server.
    `tls`: encrypt, and check the server's certificate and name.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `min_connections`: how many connections are opened at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    `connect_timeout`: seconds to open a connection, and to wait for a free one.
    `timeout`: seconds for one statement.
    `healthcheck_timeout`: seconds for a health check, and to end a statement that was cancelled or too late.
    """

    _begin = "BEGIN ISOLATION LEVEL REPEATABLE READ"

    def __init__(
        self,
        *,
        url: str | None = None,
        host: str = "localhost",
        port: int = 5432,
        user: str = "postgres",
        password: Secret | None = None,
        database: str = "postgres",
        tls: bool = False,
        ca_file: Path | None = None,
        min_connections: int = 1,
        max_connections: int = 10,
        connect_timeout: float = 10.0,
        timeout: float = 30.0,
        healthcheck_timeout: float = 2.0,
    ) -> None:
        address = _Address("host", host, port, user, password, database)
        if url is not None:
            if address._replace(password=None) != _DEFAULT:
                raise _FAULTS.no_sense("is given, and host, port, user or database too: write it once", "url")
            address = _address_of(url, password)
        _FAULTS.check_text(host=address.host, user=address.user, database=address.database)
        if password is not None and password.reveal():
            _FAULTS.check_text(password=password.reveal())
        if not 0 < address.port < 65536:
            raise _FAULTS.no_sense(f"{address.port} is not a valid port", "port")
        limits = Limits(min_connections, max_connections, connect_timeout, timeout, healthcheck_timeout)
        super().__init__(_FAULTS, limits, f"{address.host}:{address.port}", address.setting)
        self._address = address
        self._tls = tls_context(_FAULTS, tls, ca_file)

    async def _connect(self) -> _Link:
        address = self._address
        try:
            connection = await asyncpg.connect(
                host=address.host,
                port=address.port,
                user=address.user,
                password=address.password.reveal() if address.password else "",  # None would ask the environment
                database=address.database,
                ssl=self._tls or False,
                timeout=2 * self.limits.connect_timeout,  # the caller has the limit
                server_settings={"application_name": "oneiric"},
            )
        except Exception as error:
            raise self.translated(error) from None
        return _Link(self, connection)

    def translated(self, error: Exception) -> AdapterError:
        """The port's error for what the SDK raised."""
        if isinstance(error, AdapterError):
            return error
        what = told(error, self._address.password)
        if is_about_certificates(error):
            return _FAULTS.no_entry(f"{self._place}: {what}", "ca_file")
        if self._tls and "rejected SSL" in what:
            return _FAULTS.no_entry(f"{self._place}: {what}", "tls")
        code: str | None = getattr(error, "sqlstate", None)
        if code is None:
            return self.no_answer(what)
        if code.startswith("28") or code == "42501":
            return _FAULTS.no_entry(f"{self._place}: {what}", "password" if code == "28P01" else "user")
        if code == "3D000":
            return _FAULTS.no_answer(f"{self._place}: {what}", "database")
        if code.startswith(_UNAVAILABLE):
            return self.no_answer(what)
        if code.startswith("23"):
            return IntegrityError(what, provider="postgres")
        return (TransactionConflict if code in _CONFLICTS else QueryError)(what, provider="postgres")


class _Link:
    def __init__(self, database: PostgresDatabase, connection: asyncpg.Connection) -> None:
        self._database = database
        self._connection = connection
        self._with_texts: dict[str, str] = {}

    @property
    def is_open(self) -> bool:
        return not self._connection.is_closed()

    @property
    def in_transaction(self) -> bool:
        return self.is_open and self._connection.is_in_transaction()

    async def run(self, sql: str, parameters: Sequence[Value]) -> StatementResult:
        alone = not self.in_transaction
        try:
            try:
                records, status = await self._run(sql, parameters)
            except asyncpg.PostgresError as error:
                if not _was_created_meanwhile(error, sql):
                    raise
                if not alone:
                    raise TransactionConflict(told(error), provider="postgres") from None
                records, status = await self._run(sql, parameters)  # by now `IF NOT EXISTS` sees it
        except asyncpg.InterfaceError as error:
            if self.is_open:  # the SDK refuses the statement
                raise QueryError(told(error), provider="postgres") from None
            raise self._database.no_answer(told(error)) from None
        except Exception as error:
            raise self._database.translated(error) from None
        rows: list[Row] = [dict(record) for record in records]
        if rows and len(rows[0]) < len(records[0]):
            raise QueryError("two columns have one name: name them apart with AS", provider="postgres")
        word, _, count = status.decode().rpartition(" ")
        return StatementResult(rows, int(count) if word.startswith(_CHANGES) else 0)

    async def close(self) -> None:
        try:
            await self._connection.close()
        except Exception as error:
            raise self._database.translated(error) from None

    async def abandon(self) -> None:
        await self.close()  # waits for the cancel request that the SDK has sent

    def cut(self) -> None:
        self._connection.terminate()

    async def _run(self, sql: str, parameters: Sequence[Value]) -> tuple[list[asyncpg.Record], bytes]:
        """The rows and the status. What the SDK does not take for the type of its parameter goes as text, for the
        server to convert: a time, or a number for a text."""
        if sql not in self._with_texts:
            try:
                return await self._execute(_numbered(sql), parameters)
            except asyncpg.DataError as error:
                if error.severity is not None:  # so says the server
                    raise
            statement = await self._connection.prepare(_numbered(sql))
            if len(self._with_texts) == _REMEMBERED:
                self._with_texts.clear()
            self._with_texts[sql] = _converted(sql, statement.get_parameters())
        return await self._execute(self._with_texts[sql], [_text(value) for value in parameters])

    async def _execute(self, sql: str, parameters: Sequence[Value]) -> tuple[list[asyncpg.Record], bytes]:
        """The only method of the SDK that gives both, and takes one statement only, is not a public one."""
        connection: Any = self._connection
        records, status, _ = await connection._execute(sql, parameters, 0, None, return_status=True)
        return records, status


def _was_created_meanwhile(error: asyncpg.PostgresError, sql: str) -> bool:
    """Whether `CREATE … IF NOT EXISTS` failed because another session created the same at that moment.

    PostgreSQL looks before it creates and holds no lock in between: the one that comes late finds a duplicate, by
    name or in an index of its own catalogue.
    """
    if not _CREATES.match(sql):
        return False
    return error.sqlstate in _DUPLICATES or getattr(error, "schema_name", None) == "pg_catalog"


@lru_cache(maxsize=_REMEMBERED)
def _numbered(sql: str) -> str:
    """The statement with `$1`, `$2`… for its parameters."""
    first, *others = pieces(sql, POSTGRES)
    return first + "".join(f"${number}{piece}" for number, piece in enumerate(others, 1))


def _converted(sql: str, types: Sequence[asyncpg.Type]) -> str:
    """The statement with parameters that are texts, converted to these types by the server."""
    first, *others = pieces(sql, POSTGRES)
    return first + "".join(
        f"${number}{piece}" if wanted.name == "bytea" else f"CAST(${number}::text AS {_type(wanted)}){piece}"
        for number, (piece, wanted) in enumerate(zip(others, types, strict=True), 1)
    )


def _type(wanted: asyncpg.Type) -> str:
    name = wanted.name.removesuffix("[]")
    return f'"{wanted.schema}"."{name}"' + ("[]" if name != wanted.name else "")


def _text(value: Value) -> str | bytes | None:
    if value is None or isinstance(value, str | bytes):
        return value
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _address_of(url: str, password: Secret | None) -> _Address:
    """The address in a DSN; raises the port's error."""
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
    except ValueError:
        raise _FAULTS.no_sense("is not a URL", "url") from None
    path = parts.path.removeprefix("/")
    if parts.scheme not in ("postgresql", "postgres") or parts.query or parts.fragment or "/" in path:
        raise _FAULTS.no_sense("is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE", "url")
    if not parts.hostname:
        raise _FAULTS.no_sense("names no host", "url")
    if parts.port == 0 or "\0" in unquote(url):
        raise _FAULTS.no_sense("has a NUL, or the port 0", "url")
    if parts.password and password:
        raise _FAULTS.no_sense("has a password, and the setting password does too", "url")
    user, database = unquote(parts.username or _DEFAULT.user), unquote(path or _DEFAULT.database)
    secret = Secret(unquote(parts.password)) if parts.password else password
    return _Address("url", parts.hostname, port, user, secret, database)
