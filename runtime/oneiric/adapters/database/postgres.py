"""Database provider `postgres`: a PostgreSQL server, through asyncpg. Needs the extra `database-postgres`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import asyncpg

from oneiric import Secret, component
from oneiric.adapters._common.network import Faults, told
from oneiric.adapters._common.pool import Limits
from oneiric.adapters._common.postgres import PostgresLink, PostgresServer
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
from oneiric.adapters.database._pooled import DatabaseLink, PooledDatabase
from oneiric.adapters.database._transactions import StatementResult
from oneiric.errors import AdapterError

_FAULTS = Faults("postgres", DatabaseUnavailable, DatabaseRefused, DatabaseMisconfigured)
_REMEMBERED = 512  # statements
_CHANGES = ("INSERT", "UPDATE", "DELETE", "MERGE")
_CREATES = re.compile(r"\s*CREATE\s[\w\s]*?\bIF\s+NOT\s+EXISTS\b", re.IGNORECASE)
_DUPLICATES = ("42P06", "42P07", "42710")  # schema, relation, object
_CONFLICTS = ("40001", "40P01", "55P03")  # serialization, deadlock, lock


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
        limits = Limits(min_connections, max_connections, connect_timeout, timeout, healthcheck_timeout)
        self._server = PostgresServer(_FAULTS, url, host, port, user, password, database, tls, ca_file)
        super().__init__(_FAULTS, limits, self._server.place, self._server.setting)

    async def _connect(self) -> _Link:
        return _Link(self, await self._server.connected(2 * self.limits.connect_timeout))

    def translated(self, error: Exception) -> AdapterError:
        """The port's error for what the SDK raised."""
        if fault := self._server.fault(error):
            return fault
        what = self._server.told(error)
        code: str = getattr(error, "sqlstate", "")
        if code.startswith("23"):
            return IntegrityError(what, provider="postgres")
        return (TransactionConflict if code in _CONFLICTS else QueryError)(what, provider="postgres")


class _Link(PostgresLink, DatabaseLink):
    def __init__(self, database: PostgresDatabase, connection: asyncpg.Connection) -> None:
        super().__init__(database, connection)
        self._database = database
        self._with_texts: dict[str, str] = {}

    async def _run(self, sql: str, parameters: Sequence[Value]) -> StatementResult:
        alone = not self.in_transaction
        try:
            try:
                records, status = await self._executed(sql, parameters)
            except asyncpg.PostgresError as error:
                if not _was_created_meanwhile(error, sql):
                    raise
                if not alone:
                    raise TransactionConflict(told(error), provider="postgres") from None
                records, status = await self._executed(sql, parameters)  # by now `IF NOT EXISTS` sees it
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

    async def _executed(self, sql: str, parameters: Sequence[Value]) -> tuple[list[asyncpg.Record], bytes]:
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
