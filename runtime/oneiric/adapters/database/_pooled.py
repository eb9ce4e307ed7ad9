"""A database over connections to a server: what `postgres` and `mysql` have in common.

A statement, or a whole transaction, has a connection to itself.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from oneiric.adapters._common.pool import Link, Pool
from oneiric.adapters.database import (
    DatabaseClosed,
    DatabaseError,
    Row,
    TransactionError,
    Value,
    check_statement,
    first_word,
)
from oneiric.adapters.database._transactions import (
    OpenTransaction,
    StatementResult,
    open_transaction,
    refuse_inside_a_transaction,
)
from oneiric.errors import AdapterError

DATA = frozenset(("", "select", "insert", "update", "delete", "replace", "merge", "values", "table", "with"))
"""The first words of statements that leave the session as it was ("" is a parenthesis)."""
CONTROL = frozenset(("begin", "start", "commit", "rollback"))
"""The first words of what only transactions say."""
_HARMLESS = DATA | CONTROL


class DatabaseLink(Link):
    """One connection, for one statement or transaction at a time."""

    @abstractmethod
    async def _run(self, sql: str, parameters: Sequence[Value]) -> StatementResult: ...

    async def run(self, sql: str, parameters: Sequence[Value]) -> StatementResult:
        """Run a statement that was checked, within the timeout."""
        async with self._turn:
            if self._is_given_up:
                raise self._pool.broken(TransactionError("the connection was given up"))
            word = first_word(sql)
            inside = self.in_transaction
            self.is_touched |= word not in _HARMLESS
            outcome = await self._in_time(self._run(sql, parameters))
            if inside and word not in CONTROL and not self.in_transaction:
                raise TransactionError("the statement ended the transaction, which the server committed")
            return outcome

    async def rollback(self) -> None:
        """Undo the open transaction; where that fails the connection is dropped, which does the same."""
        if self.is_open and self.in_transaction:
            try:
                await self.run("ROLLBACK", ())
            except DatabaseError:
                self.cut()


class PooledDatabase(Pool[DatabaseLink]):
    """The port `Database` over a pool of connections."""

    _begin: str

    async def execute(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        return (await self._run_alone(sql, parameters)).changed

    async def fetch(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        return (await self._run_alone(sql, parameters)).rows

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[OpenTransaction, None]:
        refuse_inside_a_transaction(self)
        link = await self._take()
        try:
            async with open_transaction(self, link, self._begin) as transaction:
                yield transaction
        finally:
            await self._give_back(link)

    def closed(self) -> AdapterError:
        return DatabaseClosed("the database is not open: `start()` opens it", provider=self.faults.provider)

    async def _look(self) -> None:
        await self._run_alone("SELECT 1 AS one", ())

    async def _run_alone(self, sql: str, parameters: Sequence[Value]) -> StatementResult:
        refuse_inside_a_transaction(self)
        check_statement(sql, parameters)
        link = await self._take()
        try:
            return await link.run(sql, parameters)
        finally:
            await self._give_back(link)
