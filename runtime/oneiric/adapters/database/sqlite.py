"""Database provider `sqlite`: a file, or a database in memory, through aiosqlite."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager

import aiosqlite

from oneiric import component
from oneiric.adapters._common.sqlite import set_pragma
from oneiric.adapters.database import (
    DatabaseError,
    DatabaseMisconfigured,
    DatabaseUnavailable,
    IntegrityError,
    QueryError,
    Value,
)
from oneiric.adapters.database._embedded import EmbeddedDatabase
from oneiric.adapters.database._transactions import StatementResult, rows


@component(
    "adapter",
    "database",
    provider="sqlite",
    priority=0,
    stack_level=-10,
    capabilities=("sql", "transactions", "transactional-ddl", "serial"),
    port="oneiric.adapters.database:Database",
)
class SQLiteDatabase(EmbeddedDatabase):
    """An SQLite database over one connection; statements and transactions take turns on it.

    Transactions take the write lock of the file when they begin, so none fails for having read first.

    `path`: a file in an existing folder, created if missing, or `:memory:`.
    `pragmas`: such as `{journal_mode: wal}`; set after `foreign_keys = on`, which they may turn off.
    `lock_timeout`: seconds to wait for a lock that another process holds, before `DatabaseUnavailable`; a cancellation
    waits for it too.
    """

    _begin = "BEGIN IMMEDIATE"

    def __init__(
        self, *, path: str = ":memory:", pragmas: dict[str, str | int] | None = None, lock_timeout: float = 5.0
    ) -> None:
        super().__init__()
        self._path = path
        self._pragmas: dict[str, str | int] = {"foreign_keys": "on", **(pragmas or {})}
        self._lock_timeout = lock_timeout
        for name, value in self._pragmas.items():
            if not re.fullmatch(r"\w+", name) or not re.fullmatch(r"-?\w+", str(value)):
                what = f"pragma {name!r}: a name and a word or number are expected"
                raise DatabaseMisconfigured(what, provider="sqlite", setting="pragmas")

    async def _connect(self) -> _Connection:
        sdk = await asyncio.to_thread(self._connect_now)
        return _Connection(sdk, await aiosqlite.Connection(lambda: sdk, iter_chunk_size=64))

    def _connect_now(self) -> sqlite3.Connection:
        """Opened here and not by aiosqlite, whose thread outlives an attempt that fails."""
        with _port_errors(), ExitStack() as undo:
            sdk = sqlite3.connect(self._path, timeout=self._lock_timeout, isolation_level=None, check_same_thread=False)
            undo.callback(sdk.close)
            for name, value in self._pragmas.items():
                set_pragma(sdk, name, value, self._lock_timeout)
            undo.pop_all()
        return sdk


class _Connection:
    def __init__(self, sdk: sqlite3.Connection, connection: aiosqlite.Connection) -> None:
        self._sdk = sdk
        self._connection = connection

    async def run(self, sql: str, parameters: Sequence[Value]) -> StatementResult:
        with _port_errors():
            async with self._connection.execute(sql, tuple(parameters)) as cursor:
                values = [tuple(row) for row in await cursor.fetchall()]
                columns = [column[0] for column in cursor.description or ()]
                return StatementResult(rows(columns, values), max(cursor.rowcount, 0))

    async def rollback(self) -> None:
        with _port_errors():
            if self._connection.in_transaction:
                await self._connection.rollback()

    def interrupt(self) -> None:
        self._sdk.interrupt()

    async def close(self) -> None:
        await self._connection.close()


_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CORRUPT,
}


@contextmanager
def _port_errors() -> Generator[None, None, None]:
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise _port_error(error) from error


def _port_error(error: Exception) -> DatabaseError:
    if isinstance(error, sqlite3.IntegrityError):
        return IntegrityError(str(error), provider="sqlite")
    code: int = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return (DatabaseUnavailable if code in _UNAVAILABLE else QueryError)(str(error), provider="sqlite")
