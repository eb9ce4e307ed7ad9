"""Transactions of the port, over whatever runs their statements; for providers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import NamedTuple, Protocol

from oneiric.adapters._common.finish import finish
from oneiric.adapters.database import QueryError, Row, TransactionError, Value, check_statement


class StatementResult(NamedTuple):
    """What a statement gave: rows, and how many it changed."""

    rows: list[Row]
    changed: int


class Session(Protocol):
    """What runs the statements of one transaction, and nothing else meanwhile."""

    async def run(self, sql: str, parameters: Sequence[Value]) -> StatementResult: ...

    async def rollback(self) -> None:
        """Undo the open transaction, if there is one."""
        ...


@asynccontextmanager
async def open_transaction(database: object, session: Session, begin: str) -> AsyncGenerator[OpenTransaction, None]:
    """A transaction of `database` on `session`, begun by that SQL, that ends with the block."""
    transaction = OpenTransaction(database, session)
    outer = _inside.get()
    _inside.set((*outer, transaction))
    try:
        await session.run(begin, ())
        yield transaction
        await transaction.commit()
    except BaseException:
        await finish(transaction.rollback())
        raise
    finally:
        _inside.set(outer)


def refuse_inside_a_transaction(database: object) -> None:
    """Raise `TransactionError` where a transaction of `database` is open."""
    if any(transaction.is_of(database) for transaction in _inside.get()):
        raise TransactionError("a transaction of this database is open here: use that")


class OpenTransaction:
    """The port `Transaction`. `_over` says why it takes no more statements, if so."""

    def __init__(self, database: object, session: Session) -> None:
        self._database = database
        self._session = session
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
            await self._session.run("COMMIT", ())
            self._ended = True

    async def rollback(self) -> None:
        self._over = "the transaction is over"
        async with self._turn:
            await self._session.rollback()
            self._ended = True

    def is_of(self, database: object) -> bool:
        """Whether this is a transaction of `database` that has not ended."""
        return self._database is database and not self._ended

    async def _run(self, sql: str, parameters: Sequence[Value]) -> StatementResult:
        async with self._turn:
            self._refuse_when_over()
            try:
                check_statement(sql, parameters)
                return await self._session.run(sql, parameters)
            except BaseException:
                self._over = "a statement of the transaction failed or was cancelled: it rolls back"
                raise

    def _refuse_when_over(self) -> None:
        if self._over:
            raise TransactionError(self._over)


_inside: ContextVar[tuple[OpenTransaction, ...]] = ContextVar("oneiric_transactions", default=())
"""The transactions opened by this task, or by the one that started it."""


def rows(columns: Sequence[str], values: Sequence[Sequence[object]]) -> list[Row]:
    """Rows of the port; raises `QueryError` when two columns share a name."""
    if len(set(columns)) < len(columns):
        twice = sorted({column for column in columns if columns.count(column) > 1})
        raise QueryError(f"two columns are named {', '.join(twice)}: name them apart with AS")
    return [dict(zip(columns, row, strict=True)) for row in values]
