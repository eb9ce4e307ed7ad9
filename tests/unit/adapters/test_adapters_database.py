"""The databases of this process: the contract, and what is each one's own."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from oneiric.adapters.database import Database, DatabaseClosed, DatabaseUnavailable, QueryError, TransactionError
from oneiric.adapters.database.duckdb import DuckDBDatabase
from oneiric.adapters.database.sqlite import SQLiteDatabase
from oneiric.testing.contracts import DatabaseContract, started

ENDLESS_SQLITE = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS c FROM n"
ENDLESS_DUCKDB = "SELECT count(*) AS c FROM range(10000000000000) AS r WHERE r.range % 7 = 3"


class TestSQLiteInMemory(DatabaseContract):
    def fresh(self) -> AbstractAsyncContextManager[Database]:
        return started(SQLiteDatabase())


class TestSQLiteInAFile(DatabaseContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "app.db"

    def fresh(self) -> AbstractAsyncContextManager[Database]:
        pragmas: dict[str, str | int] = {"journal_mode": "wal", "synchronous": "off"}
        return started(SQLiteDatabase(path=str(self.path), pragmas=pragmas))


class TestDuckDB(DatabaseContract):
    def fresh(self) -> AbstractAsyncContextManager[Database]:
        return started(DuckDBDatabase(threads=1))


@pytest.mark.parametrize("kind", [SQLiteDatabase, DuckDBDatabase])
class TestEither:
    def test_before_start_every_call_is_refused(self, kind: type[SQLiteDatabase | DuckDBDatabase]) -> None:
        async def main() -> None:
            database = kind()
            assert not await database.health()
            with pytest.raises(DatabaseClosed, match=r"not open: `start\(\)` opens it"):
                await database.execute("SELECT 1")
            await database.aclose()

        asyncio.run(main())

    def test_a_file_keeps_what_was_committed(self, kind: type[SQLiteDatabase | DuckDBDatabase], tmp_path: Path) -> None:
        async def main() -> None:
            path = str(tmp_path / "app.db")
            async with started(kind(path=path)) as database:
                await database.execute("CREATE TABLE items (id INTEGER)")
                await database.execute("INSERT INTO items VALUES (?)", (1,))
            async with started(kind(path=path)) as database:
                assert await database.fetch("SELECT id FROM items") == [{"id": 1}]

        asyncio.run(main())

    def test_closing_rolls_an_open_transaction_back(
        self, kind: type[SQLiteDatabase | DuckDBDatabase], tmp_path: Path
    ) -> None:
        async def main() -> None:
            path = str(tmp_path / "app.db")
            async with started(kind(path=path)) as database:
                await database.execute("CREATE TABLE items (id INTEGER)")
                with pytest.raises(DatabaseClosed):
                    async with database.transaction() as transaction:
                        await transaction.execute("INSERT INTO items VALUES (1)")
                        await database.aclose()
            async with started(kind(path=path)) as database:
                assert await database.fetch("SELECT id FROM items") == []

        asyncio.run(main())

    def test_a_folder_that_is_missing_is_unavailable(
        self, kind: type[SQLiteDatabase | DuckDBDatabase], tmp_path: Path
    ) -> None:
        async def main() -> None:
            database = kind(path=str(tmp_path / "missing" / "app.db"))
            with pytest.raises(DatabaseUnavailable):
                await database.start()
            await database.aclose()

        asyncio.run(main())

    def test_a_file_that_is_no_database_is_unavailable(
        self, kind: type[SQLiteDatabase | DuckDBDatabase], tmp_path: Path
    ) -> None:
        async def main() -> None:
            path = tmp_path / "app.db"
            path.write_bytes(b"this is not a database\n" * 1000)
            database = kind(path=str(path))
            with pytest.raises(DatabaseUnavailable):
                await database.start()
                await database.fetch("SELECT * FROM sqlite_master")
            await database.aclose()

        asyncio.run(main())

    def test_a_start_cancelled_at_any_step_leaves_nothing_open(
        self, kind: type[SQLiteDatabase | DuckDBDatabase], tmp_path: Path
    ) -> None:
        async def main() -> None:
            for turns in range(0, 400, 25):
                database = kind(path=str(tmp_path / "app.db"))
                task = asyncio.ensure_future(database.start())
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait({task})
                if task.cancelled():
                    with pytest.raises(DatabaseClosed):
                        await database.execute("SELECT 1")
                await database.aclose()

        asyncio.run(main())

    def test_a_returning_clause_gives_rows_and_their_number(self, kind: type[SQLiteDatabase | DuckDBDatabase]) -> None:
        async def main() -> None:
            async with started(kind()) as database:
                await database.execute("CREATE TABLE items (id INTEGER)")
                insert = "INSERT INTO items VALUES (1), (2) RETURNING id"
                assert await database.execute(insert) == 2
                assert await database.fetch(insert) == [{"id": 1}, {"id": 2}]

        asyncio.run(main())

    def test_two_databases_may_be_used_inside_each_other(self, kind: type[SQLiteDatabase | DuckDBDatabase]) -> None:
        async def main() -> None:
            async with started(kind()) as outer, started(kind()) as inner:
                async with outer.transaction(), inner.transaction() as transaction:
                    await transaction.execute("SELECT 1")
                    with pytest.raises(TransactionError):
                        await outer.execute("SELECT 1")
                    with pytest.raises(TransactionError):
                        await inner.execute("SELECT 1")
                assert await outer.health()
                assert await inner.health()

        asyncio.run(main())

    def test_many_comments_before_a_statement_take_no_time(self, kind: type[SQLiteDatabase | DuckDBDatabase]) -> None:
        async def main() -> None:
            async with started(kind()) as database:
                assert await database.fetch("/* a */" * 500 + "SELECT 1 AS one") == [{"one": 1}]

        asyncio.run(main())


@pytest.mark.parametrize(("kind", "endless"), [(SQLiteDatabase, ENDLESS_SQLITE), (DuckDBDatabase, ENDLESS_DUCKDB)])
class TestAnEndlessStatement:
    def test_is_interrupted_by_a_cancellation(self, kind: type[SQLiteDatabase | DuckDBDatabase], endless: str) -> None:
        async def main() -> None:
            async with started(kind()) as database:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(database.fetch(endless), 0.1)
                assert await database.health()

        asyncio.run(asyncio.wait_for(main(), 30))

    def test_in_a_transaction_is_interrupted_and_rolled_back(
        self, kind: type[SQLiteDatabase | DuckDBDatabase], endless: str
    ) -> None:
        async def main() -> None:
            async with started(kind()) as database:
                await database.execute("CREATE TABLE items (id INTEGER)")
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1), database.transaction() as transaction:
                        await transaction.execute("INSERT INTO items VALUES (1)")
                        await transaction.fetch(endless)
                assert await database.fetch("SELECT * FROM items") == []

        asyncio.run(asyncio.wait_for(main(), 30))

    def test_is_interrupted_however_early_the_cancellation_comes(
        self, kind: type[SQLiteDatabase | DuckDBDatabase], endless: str
    ) -> None:
        async def main() -> None:
            async with started(kind()) as database:
                for turns in range(12):
                    task = asyncio.ensure_future(database.fetch(endless))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.wait({task})
                    assert task.cancelled()
                assert await database.health()

        asyncio.run(asyncio.wait_for(main(), 30))

    def test_is_interrupted_by_closing(self, kind: type[SQLiteDatabase | DuckDBDatabase], endless: str) -> None:
        async def main() -> None:
            async with started(kind()) as database:
                task = asyncio.ensure_future(database.fetch(endless))
                await asyncio.sleep(0.1)
                await database.aclose()
                with pytest.raises(DatabaseClosed):
                    await task

        asyncio.run(asyncio.wait_for(main(), 30))


def test_sqlite_takes_pragmas(tmp_path: Path) -> None:
    async def main() -> None:
        pragmas: dict[str, str | int] = {"journal_mode": "wal", "cache_size": -500, "foreign_keys": "off"}
        async with started(SQLiteDatabase(path=str(tmp_path / "app.db"), pragmas=pragmas)) as database:
            assert await database.fetch("PRAGMA journal_mode") == [{"journal_mode": "wal"}]
            assert await database.fetch("PRAGMA cache_size") == [{"cache_size": -500}]
            assert await database.fetch("PRAGMA foreign_keys") == [{"foreign_keys": 0}]

    asyncio.run(main())


@pytest.mark.parametrize("pragmas", [{"x; DROP TABLE y": 1}, {"x": "1; DROP TABLE y"}, {"": 1}, {"x": ""}])
def test_sqlite_refuses_a_pragma_that_is_more_than_one(pragmas: dict[str, str | int]) -> None:
    with pytest.raises(ValueError, match="pragma"):
        SQLiteDatabase(pragmas=pragmas)


def test_sqlite_locked_by_somebody_else_is_unavailable(tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "app.db")
        async with started(SQLiteDatabase(path=path, lock_timeout=0.01)) as database:
            await database.execute("CREATE TABLE items (id INTEGER)")
            other = sqlite3.connect(path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseUnavailable):
                await database.execute("INSERT INTO items VALUES (1)")
            with pytest.raises(DatabaseUnavailable):
                async with database.transaction():
                    pass
            other.execute("COMMIT")
            other.close()
            assert await database.execute("INSERT INTO items VALUES (1)") == 1

    asyncio.run(main())


def test_sqlite_waits_to_turn_a_file_to_wal_which_somebody_else_writes(tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "app.db")
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        asyncio.get_running_loop().call_later(0.05, other.execute, "COMMIT")
        async with started(SQLiteDatabase(path=path, pragmas={"journal_mode": "wal"})) as database:
            assert await database.fetch("PRAGMA journal_mode") == [{"journal_mode": "wal"}]
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable, match="locked"):
            async with started(SQLiteDatabase(path=path, pragmas={"journal_mode": "delete"}, lock_timeout=0.01)):
                pass
        other.close()

    asyncio.run(asyncio.wait_for(main(), 30))


def test_sqlite_rolling_back_by_itself_ends_the_transaction() -> None:
    async def main() -> None:
        async with started(SQLiteDatabase()) as database:
            await database.execute("CREATE TABLE items (id INTEGER PRIMARY KEY)")
            with pytest.raises(TransactionError):
                async with database.transaction() as transaction:
                    await transaction.execute("INSERT INTO items VALUES (1)")
                    with pytest.raises(Exception, match="UNIQUE"):
                        await transaction.execute("INSERT OR ROLLBACK INTO items VALUES (1)")
                    await transaction.execute("INSERT INTO items VALUES (2)")
            assert await database.fetch("SELECT * FROM items") == []

    asyncio.run(main())


def test_a_constraint_checked_at_commit_rolls_back() -> None:
    async def main() -> None:
        async with started(SQLiteDatabase()) as database:
            await database.execute("CREATE TABLE items (id INTEGER PRIMARY KEY)")
            await database.execute(
                "CREATE TABLE parts (item INTEGER REFERENCES items (id) DEFERRABLE INITIALLY DEFERRED)"
            )
            with pytest.raises(Exception, match="FOREIGN KEY"):
                async with database.transaction() as transaction:
                    await transaction.execute("INSERT INTO parts VALUES (9)")
            assert await database.fetch("SELECT * FROM parts") == []
            async with database.transaction():
                pass

    asyncio.run(main())


def test_duckdb_opened_read_only_refuses_to_write(tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "app.duckdb")
        async with started(DuckDBDatabase(path=path)) as database:
            await database.execute("CREATE TABLE items (id INTEGER)")
        async with started(DuckDBDatabase(path=path, read_only=True)) as database:
            assert await database.fetch("SELECT * FROM items") == []
            with pytest.raises(QueryError):
                await database.execute("INSERT INTO items VALUES (1)")

    asyncio.run(main())


@pytest.mark.parametrize("text", ["", "\N{SNOWMAN} "])
def test_duckdb_returns_a_column_that_is_named_as_its_own_count(text: str) -> None:
    async def main() -> None:
        async with started(DuckDBDatabase()) as database:
            await database.execute("CREATE TABLE items (id INTEGER, body VARCHAR)")
            insert = f"/* {text} */ INSERT INTO items VALUES (7, '{text}returning'), (8, 'b')"
            assert await database.execute(insert) == 2
            assert await database.fetch(insert) == []
            insert += ' rEturning id AS "Count"'
            assert await database.fetch(insert) == [{"Count": 7}, {"Count": 8}]
            assert await database.execute(insert) == 2

    asyncio.run(main())


def test_duckdb_takes_threads_and_options() -> None:
    async def main() -> None:
        async with started(DuckDBDatabase(threads=2, config={"memory_limit": "200MB"})) as database:
            [row] = await database.fetch("SELECT current_setting('threads') AS t, current_setting('memory_limit') AS m")
            assert (row["t"], row["m"]) == (2, "190.7 MiB")
        with pytest.raises(DatabaseUnavailable):
            await DuckDBDatabase(config={"no_such_option": 1}).start()

    asyncio.run(main())


def test_a_missing_sdk_is_a_module_not_found_error() -> None:
    code = (
        "import sys; sys.modules['duckdb'] = None\n"
        "try: import oneiric.adapters.database.duckdb\n"
        "except ModuleNotFoundError as error: print(error.name)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "duckdb\n"
