"""A database over one connection of this process: what `sqlite` and `duckdb` have in common.

Statements take turns: one statement, or one whole transaction, at a time. So transactions are serialisable,
an in-memory database is one database, and a long transaction makes everybody else wait: keep them short.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from oneiric.adapters._common.finish import finish
from oneiric.adapters.database import DatabaseClosed, DatabaseError, Row, Value, check_statement
from oneiric.adapters.database._transactions import (
    OpenTransaction,
    StatementResult,
    open_transaction,
    refuse_inside_a_transaction,
)

_AGAIN = 0.02  # seconds between two interrupts


class Connection(Protocol):
    """One connection of an SDK, used by one statement at a time. It raises errors of the port only."""

    async def run(self, sql: str, parameters: Sequence[Value]) -> StatementResult: ...

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
    async def transaction(self) -> AsyncGenerator[OpenTransaction, None]:
        refuse_inside_a_transaction(self)
        async with self._turn, open_transaction(self, self, self._begin) as transaction:
            yield transaction

    async def run(self, sql: str, parameters: Sequence[Value]) -> StatementResult:
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
            raise DatabaseClosed("the database is not open: `start()` opens it")
        return self._connection

    async def _run_alone(self, sql: str, parameters: Sequence[Value]) -> StatementResult:
        self._opened()
        refuse_inside_a_transaction(self)
        check_statement(sql, parameters)
        async with self._turn:
            return await self.run(sql, parameters)
