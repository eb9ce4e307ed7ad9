"""The documents in a database of this process: the contract, and what is its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from oneiric.adapters.database import Database
from oneiric.adapters.database.duckdb import DuckDBDatabase
from oneiric.adapters.database.sqlite import SQLiteDatabase
from oneiric.adapters.nosql import Documents, NosqlClosed, NosqlMisconfigured, NosqlUnavailable, TransactionError
from oneiric.adapters.nosql.database import DatabaseDocuments
from oneiric.testing.contracts import NosqlContract, started
from oneiric.testing.contracts.nosql_transactions import got
from oneiric.testing.contracts.running import health, run


@asynccontextmanager
async def over(database: Database) -> AsyncGenerator[Documents, None]:
    async with started(database), started(DatabaseDocuments(database=database)) as documents:
        yield documents


class TestDocumentsInSQLite(NosqlContract):
    def fresh(self) -> AbstractAsyncContextManager[Documents]:
        return over(SQLiteDatabase())


class TestDocumentsInDuckDB(NosqlContract):
    def fresh(self) -> AbstractAsyncContextManager[Documents]:
        return over(DuckDBDatabase(threads=1))


@pytest.mark.parametrize("table", ["", "Upper", "a b", 'a"b', "a.b", "t" * 41, "1a", "a\n"])
def test_what_is_no_table_is_refused(table: str) -> None:
    with pytest.raises(NosqlMisconfigured) as caught:
        DatabaseDocuments(database=SQLiteDatabase(), table=table)
    assert caught.value.setting == "table"


def test_a_table_that_is_something_else_is_refused_and_stays() -> None:
    async def main() -> None:
        async with started(SQLiteDatabase()) as database:
            await database.execute("CREATE TABLE something (id TEXT, body TEXT)")
            with pytest.raises(NosqlMisconfigured, match="something is not a table with the columns") as caught:
                async with started(DatabaseDocuments(database=database, table="something")):
                    pass
            assert caught.value.setting == "table"
            assert await database.fetch("SELECT id, body FROM something") == []

    run(main())


def test_tables_are_apart() -> None:
    async def main() -> None:
        async with (
            started(SQLiteDatabase()) as database,
            started(DatabaseDocuments(database=database)) as one,
            started(DatabaseDocuments(database=database, table="others")) as other,
        ):
            await one.put("books", "a", {})
            assert await other.count("books") == 0

    run(main())


def test_documents_outlive_the_process_in_a_file(tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "app.db")
        async with over(SQLiteDatabase(path=path)) as documents:
            await documents.put("books", "a", {"n": 1})
        async with over(SQLiteDatabase(path=path)) as documents:
            assert await got(documents, "books", "a") == {"n": 1}

    run(main())


def test_errors_of_the_database_become_those_of_the_port(tmp_path: Path) -> None:
    async def main() -> None:
        database = SQLiteDatabase()
        with pytest.raises(NosqlClosed):
            async with started(DatabaseDocuments(database=database)):
                pass
        async with over(database) as documents:
            async with database.transaction():
                with pytest.raises(TransactionError, match="a transaction of this database is open here"):
                    await documents.put("books", "a", {})
            await database.execute("DROP TABLE oneiric_documents")
            with pytest.raises(NosqlUnavailable, match=r"nosql \(database\): the database: .*no such table") as caught:
                await documents.get("books", "a")
            assert caught.value.setting == "table"
            assert not await health(documents)
            await database.aclose()
            with pytest.raises(NosqlClosed):
                await documents.get("books", "a")

    run(main())
