"""Nosql provider `database`: documents in a table of the application's own database, whichever that is."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager
from dataclasses import replace
from secrets import token_hex

from oneiric import component
from oneiric.adapters._common.network import Faults
from oneiric.adapters.database import (
    Database,
    DatabaseClosed,
    DatabaseError,
    DatabaseMisconfigured,
    DatabaseRefused,
    DatabaseUnavailable,
    IntegrityError,
    QueryError,
    Row,
    Transaction,
    TransactionConflict,
)
from oneiric.adapters.database import TransactionError as InsideTransaction
from oneiric.adapters.nosql import (
    Document,
    DocumentChanges,
    DocumentConflict,
    Json,
    NosqlClosed,
    NosqlError,
    NosqlMisconfigured,
    NosqlRefused,
    NosqlUnavailable,
    TransactionError,
    Where,
)
from oneiric.adapters.nosql._changes import Step, open_transaction, single
from oneiric.adapters.nosql._checks import check_name, checked_data
from oneiric.adapters.nosql._queries import checked_query

_PROVIDER = "database"
_FAULTS = Faults(_PROVIDER, NosqlUnavailable, NosqlRefused, NosqlMisconfigured)
_TABLE = re.compile(r"[a-z_][a-z0-9_]{0,39}")
_PAGE = 100  # documents that one statement reads
_TIMES = 10  # what met another writer is tried again
_OF_THE_PORT: Sequence[tuple[type[DatabaseError], type[NosqlError]]] = (
    (DatabaseClosed, NosqlClosed),
    (DatabaseUnavailable, NosqlUnavailable),
    (DatabaseRefused, NosqlRefused),
    (DatabaseMisconfigured, NosqlMisconfigured),
    (TransactionConflict, DocumentConflict),
    (InsideTransaction, TransactionError),
    (DatabaseError, NosqlUnavailable),
)


@component(
    "adapter",
    "nosql",
    provider="database",
    priority=0,
    stack_level=-10,
    capabilities=("documents", "transactions", "conditions"),
    needs={"database": "adapter:database"},
    port="oneiric.adapters.nosql:Documents",
)
class DatabaseDocuments:
    """Keeps documents in a table of `adapter:database`, as JSON; the table is made if it is missing.

    `table`: the table's name, in lower case.

    It is for collections of some thousands: `find` and `count` with conditions read all of a collection. Collections
    and ids are kept in hexadecimal, which every database compares as it stands.
    """

    def __init__(self, *, database: Database, table: str = "oneiric_documents") -> None:
        if not _TABLE.fullmatch(table):
            raise _FAULTS.no_sense("is not a word of at most 40 of a-z, 0-9 and `_`", "table")
        self._database = database
        self._table = table
        self._opened = False

    async def start(self) -> None:
        try:
            await self._database.execute(_CREATE.format(table=self._table))
            await self._look()
        except QueryError:
            what = f"{self._table} is not a table with the columns collection, id, version, locks and body"
            raise _FAULTS.no_sense(what, "table") from None
        except DatabaseError as error:
            raise _translated(error) from None
        self._opened = True

    async def health(self) -> bool:
        try:
            await self._look()
        except DatabaseError:
            return False
        return self._opened

    async def aclose(self) -> None:
        self._opened = False

    async def get(self, collection: str, id: str) -> Document | None:
        check_name(collection, id)
        sql = f"SELECT id, version, body FROM {self._table} WHERE collection = ? AND id = ?"
        with self._open():
            rows = await self._database.fetch(sql, (_hex(collection), _hex(id)))
        return _document(rows[0]) if rows else None

    async def put(
        self,
        collection: str,
        id: str,
        data: Mapping[str, Json],
        *,
        if_absent: bool = False,
        if_version: str | None = None,
    ) -> Document:
        step = single(collection, id, checked_data(data), if_absent, if_version)
        version = token_hex(16)
        await self._do_alone(step, version)
        return Document(id, step.data or {}, version)

    async def delete(self, collection: str, id: str, *, if_version: str | None = None) -> bool:
        return await self._do_alone(single(collection, id, None, False, if_version), "")

    async def find(
        self,
        collection: str,
        where: Where | None = None,
        *,
        order: str | None = None,
        descending: bool = False,
        limit: int | None = None,
    ) -> AsyncIterator[Document]:
        query = checked_query(collection, where, order, descending, limit)
        async with aclosing(self._all(collection)) as documents, aclosing(query.chosen(documents)) as chosen:
            async for document in chosen:
                yield document

    async def count(self, collection: str, where: Where | None = None) -> int:
        query = checked_query(collection, where)
        if query.conditions:
            async with aclosing(self._all(collection)) as documents, aclosing(query.chosen(documents)) as chosen:
                return sum([1 async for _ in chosen])
        sql = f"SELECT COUNT(*) AS amount FROM {self._table} WHERE collection = ?"
        with self._open():
            [row] = await self._database.fetch(sql, (_hex(collection),))
        return int(row["amount"])

    def transaction(self) -> AbstractAsyncContextManager[DocumentChanges]:
        return open_transaction(self.get, self._commit)

    async def _commit(self, steps: Sequence[Step]) -> None:
        with self._open():
            async with self._database.transaction() as transaction:
                for step in steps:
                    try:
                        await self._do(transaction, step, token_hex(16))
                    except IntegrityError:  # somebody put one at the same time
                        raise step.conflict(_PROVIDER) from None

    async def _do_alone(self, step: Step, version: str) -> bool:
        """Do a step without a transaction, since one statement is enough; whether there was a document."""
        for attempt in range(_TIMES):
            with self._open():
                try:
                    return await self._do(self._database, step, version)
                except (IntegrityError, TransactionConflict):  # another was at the document, and this did nothing
                    pass
            await asyncio.sleep(0.002 * 2**attempt)
        raise _FAULTS.no_answer("others change the document all the time", "table")

    async def _do(self, on: Database | Transaction, step: Step, version: str) -> bool:
        """Do a step; whether there was a document. Raises `IntegrityError` where somebody puts the same one."""
        if step.version is not None or not step.reads:
            if await self._change(on, step, version):
                return True
            if step.version is not None:
                raise step.conflict(_PROVIDER)
            if step.text is None:
                return False
        insert = f"INSERT INTO {self._table} (collection, id, version, locks, body) VALUES (?, ?, ?, 0, ?)"
        try:
            await on.execute(insert, (_hex(step.collection), _hex(step.id), version, step.text or "{}"))
        except IntegrityError:
            if step.reads:
                raise step.conflict(_PROVIDER) from None
            raise
        if step.text is None:  # nobody else can put one now, before the transaction is over
            await self._change(on, replace(step, writes=True), version)
        return False

    async def _change(self, on: Database | Transaction, step: Step, version: str) -> bool:
        """Do a step to the document there is; whether there was one, of the version if one is expected."""
        where, key = "collection = ? AND id = ?", [_hex(step.collection), _hex(step.id)]
        if step.version is not None:
            where, key = f"{where} AND version = ?", [*key, step.version]
        if step.text is not None:
            sql = f"UPDATE {self._table} SET version = ?, body = ? WHERE {where}"
            return bool(await on.execute(sql, (version, step.text, *key)))
        if step.writes:
            return bool(await on.execute(f"DELETE FROM {self._table} WHERE {where}", key))
        return bool(await on.execute(f"UPDATE {self._table} SET locks = locks + 1 WHERE {where}", key))

    async def _all(self, collection: str) -> AsyncGenerator[Document, None]:
        """The documents of a collection, by id."""
        page = f"""
            SELECT id, version, body FROM {self._table} WHERE collection = ? AND id > ? ORDER BY id LIMIT {_PAGE}
        """
        last = ""
        while True:
            with self._open():
                rows = await self._database.fetch(page, (_hex(collection), last))
            for row in rows:
                yield _document(row)
            if len(rows) < _PAGE:
                return
            last = rows[-1]["id"]

    async def _look(self) -> None:
        await self._database.fetch(f"SELECT collection, id, version, locks, body FROM {self._table} LIMIT 1")

    @contextmanager
    def _open(self) -> Generator[None, None, None]:
        """A use of the database; its errors become the port's."""
        if not self._opened:
            raise NosqlClosed("it is not open: `start()` opens it", provider=_PROVIDER)
        try:
            yield
        except DatabaseError as error:
            raise _translated(error) from None


_CREATE = """
    CREATE TABLE IF NOT EXISTS {table} (
        collection VARCHAR(128) NOT NULL, id VARCHAR(512) NOT NULL, version VARCHAR(32) NOT NULL,
        locks BIGINT NOT NULL, body JSON NOT NULL, PRIMARY KEY (collection, id)
    )
"""


def _hex(text: str) -> str:
    return text.encode().hex()


def _document(row: Row) -> Document:
    return Document(bytes.fromhex(row["id"]).decode(), json.loads(row["body"]), row["version"])


def _translated(error: DatabaseError) -> NosqlError:
    kind = next(ours for theirs, ours in _OF_THE_PORT if isinstance(error, theirs))
    return kind(f"the database: {error.what}", provider=_PROVIDER, setting="table")
