"""A database over one connection of this process: what `sqlite` and `duckdb` have in common.

Statements take turns: one statement, or one whole transaction, at a time. So transactions are serialisable,
an in-memory database is one database, and a long transaction makes everybody else wait: keep them short.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import NamedTuple, Protocol

from oneiric.adapters._finish import finish
from oneiric.adapters.database import (
    DatabaseClosed,
    DatabaseError,
    QueryError,
    Row,
    TransactionError,
    Value,
    check_statement,
)

_AGAIN = 0.02  # seconds between two interrupts


class Outcome(NamedTuple):
    """What a statement gave: rows, and how many it changed."""

    rows: list[Row]
    changed: int


class Connection(Protocol):
    """One connection of an SDK, used by one statement at a time. It raises errors of the port only."""

    async def run(self, sql: str, parameters: Sequence[Value]) -> Outcome: ...

    async def rollback(self) -> None:
        """Undo the open transaction, if there is one."""
        ...

    def interrupt(self) -> None:
        """Make the running statement fail soon; called while another thread runs it."""
        ...

    async def close(self) -> None: ...


class EmbeddedDatabase(ABC):
    """The port `Database` over the connection that `_connect` opens."""

    _begin = "BEGIN"

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()  # of a statement by itself, or of a whole transaction
        self._statement = asyncio.Lock()  # held while one runs

    @abstractmethod
    async def _connect(self) -> Connection:
        """Open the connection or raise `DatabaseUnavailable`."""

    async def start(self) -> None:
        try:
            await finish(self._open())
        except asyncio.CancelledError:
            await self.aclose()
            raise

    async def health(self) -> bool:
        try:
            return await self.fetch("SELECT 1 AS one") == [{"one": 1}]
        except DatabaseError:
            return False

    async def aclose(self) -> None:
        """Close at once: what still runs is interrupted, an open transaction rolled back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await finish(self._close(connection))

    async def execute(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        return (await self._run_alone(sql, parameters)).changed

    async def fetch(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        return (await self._run_alone(sql, parameters)).rows

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[EmbeddedTransaction, None]:
        self._refuse_inside_a_transaction()
        async with self._turn:
            transaction = EmbeddedTransaction(self)
            outer = _inside.get()
            _inside.set((*outer, transaction))
            try:
                await self.run(self._begin, ())
                yield transaction
                await transaction.commit()
            except BaseException:
                await finish(transaction.rollback())
                raise
            finally:
                _inside.set(outer)

    async def run(self, sql: str, parameters: Sequence[Value]) -> Outcome:
        """Run a statement now; for whoever has the turn."""
        async with self._statement:
            connection = self._opened()
            try:
                return await finish(connection.run(sql, parameters), interrupt=connection.interrupt)
            except DatabaseError as error:
                if self._connection is None:
                    raise DatabaseClosed("the database was closed while the statement ran") from error
                raise

    async def rollback(self) -> None:
        """Undo the open transaction; a closed connection has done so already."""
        async with self._statement:
            if self._connection is not None:
                await self._connection.rollback()

    async def _open(self) -> None:
        if self._connection is None:
            self._connection = await self._connect()

    async def _close(self, connection: Connection) -> None:
        while self._statement.locked():
            connection.interrupt()
            await asyncio.sleep(_AGAIN)
        await connection.close()

    def _opened(self) -> Connection:
        if self._connection is None:
            raise DatabaseClosed("the database is not open")
        return self._connection

    async def _run_alone(self, sql: str, parameters: Sequence[Value]) -> Outcome:
        self._opened()
        self._refuse_inside_a_transaction()
        check_statement(sql, parameters)
        async with self._turn:
            return await self.run(sql, parameters)

    def _refuse_inside_a_transaction(self) -> None:
        if any(transaction.is_of(self) for transaction in _inside.get()):
            raise TransactionError("a transaction of this database is open here: use that")


class EmbeddedTransaction:
    """The port `Transaction`. `_over` says why it takes no more statements, if so."""

    def __init__(self, database: EmbeddedDatabase) -> None:
        self._database = database
        self._turn = asyncio.Lock()
        self._over = ""
        self._ended = False

    async def execute(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        return (await self._run(sql, parameters)).changed

    async def fetch(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        return (await self._run(sql, parameters)).rows

    async def commit(self) -> None:
        async with self._turn:
            self._refuse_when_over()
            self._over = "the transaction is over"
            await self._database.run("COMMIT", ())
            self._ended = True

    async def rollback(self) -> None:
        self._over = "the transaction is over"
        async with self._turn:
            await self._database.rollback()
            self._ended = True

    def is_of(self, database: EmbeddedDatabase) -> bool:
        """Whether this is a transaction of `database` that has not ended."""
        return self._database is database and not self._ended

    async def _run(self, sql: str, parameters: Sequence[Value]) -> Outcome:
        async with self._turn:
            self._refuse_when_over()
            try:
                check_statement(sql, parameters)
                return await self._database.run(sql, parameters)
            except BaseException:
                self._over = "a statement of the transaction failed or was cancelled: it rolls back"
                raise

    def _refuse_when_over(self) -> None:
        if self._over:
            raise TransactionError(self._over)


_inside: ContextVar[tuple[EmbeddedTransaction, ...]] = ContextVar("oneiric_transactions", default=())
"""The transactions opened by this task, or by the one that started it."""


def rows(columns: Sequence[str], values: Sequence[Sequence[object]]) -> list[Row]:
    """Rows of the port; raises `QueryError` when two columns share a name."""
    if len(set(columns)) < len(columns):
        twice = sorted({column for column in columns if columns.count(column) > 1})
        raise QueryError(f"two columns are named {', '.join(twice)}: name them apart with AS")
    return [dict(zip(columns, row, strict=True)) for row in values]
