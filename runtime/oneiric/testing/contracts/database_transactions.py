"""The cases of the port `database` that are about transactions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from oneiric.adapters.database import Database, DatabaseError, QueryError, TransactionConflict, TransactionError
from oneiric.testing.contracts.running import Contract, cancelled_at_every_step, capabilities

INSERT = "INSERT INTO items (id, body) VALUES (?, ?)"
IDS = "SELECT id FROM items ORDER BY id"


class Mishap(Exception):
    """Raised by a case in the middle of something."""


async def make(database: Database, *ids: int) -> None:
    """A table of items with these."""
    await database.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, body VARCHAR(100))")
    for one in ids:
        await database.execute(INSERT, (one, f"body {one}"))


async def ids(database: Database) -> list[int]:
    return [row["id"] for row in await database.fetch(IDS)]


class TransactionCases(Contract[Database]):
    """Part of `DatabaseContract`."""

    def test_a_transaction_is_committed_at_its_end(self) -> None:
        async def case(database: Database) -> None:
            await make(database)
            async with database.transaction() as transaction:
                assert await transaction.execute(INSERT, (1, "a")) == 1
                assert await transaction.fetch(IDS) == [{"id": 1}]
            assert await ids(database) == [1]

        self.check(case)

    def test_an_empty_transaction_is_fine(self) -> None:
        async def case(database: Database) -> None:
            async with database.transaction():
                pass
            async with database.transaction():
                pass

        self.check(case)

    def test_a_transaction_that_raises_is_rolled_back(self) -> None:
        async def case(database: Database) -> None:
            await make(database, 1)
            with pytest.raises(Mishap):
                async with database.transaction() as transaction:
                    await transaction.execute(INSERT, (2, "b"))
                    await transaction.execute("DELETE FROM items WHERE id = 1")
                    raise Mishap
            assert await ids(database) == [1]
            async with database.transaction() as transaction:
                await transaction.execute(INSERT, (3, "c"))
            assert await ids(database) == [1, 3]

        self.check(case)

    @pytest.mark.parametrize("fault", [(INSERT, (1, "again")), ("SELEC", ()), ("SELECT ?", (object(),))])
    def test_a_transaction_with_a_failed_statement_cannot_commit(self, fault: tuple[str, Any]) -> None:
        async def case(database: Database) -> None:
            await make(database, 1)
            with pytest.raises(TransactionError):
                async with database.transaction() as transaction:
                    await transaction.execute(INSERT, (2, "b"))
                    with pytest.raises(DatabaseError):
                        await transaction.execute(*fault)
                    with pytest.raises(TransactionError):
                        await transaction.execute(INSERT, (3, "c"))
            assert await ids(database) == [1]

        self.check(case)

    def test_nobody_sees_an_open_transaction(self) -> None:
        async def case(database: Database) -> None:
            await make(database, 1)
            written, seen = asyncio.Event(), asyncio.Event()

            async def write() -> None:
                async with database.transaction() as transaction:
                    await transaction.execute(INSERT, (2, "b"))
                    written.set()
                    await asyncio.wait({look_task}, timeout=0.05)
                    await transaction.execute(INSERT, (3, "c"))

            async def look() -> list[int]:
                await written.wait()
                try:
                    return await ids(database)
                finally:
                    seen.set()

            look_task = asyncio.ensure_future(look())
            await write()
            assert await look_task in ([1], [1, 2, 3])
            assert await ids(database) == [1, 2, 3]

        self.check(case)

    def test_a_rollback_takes_nothing_of_others_along(self) -> None:
        async def case(database: Database) -> None:
            await make(database)
            inside = asyncio.Event()

            async def fail() -> None:
                async with database.transaction() as transaction:
                    await transaction.execute(INSERT, (1, "mine"))
                    inside.set()
                    await asyncio.sleep(0.02)
                    raise Mishap

            async def write() -> None:
                await inside.wait()
                await database.execute(INSERT, (2, "theirs"))

            failed, _ = await asyncio.gather(fail(), write(), return_exceptions=True)
            assert isinstance(failed, Mishap)
            assert await ids(database) == [2]

        self.check(case)

    def test_fifty_transactions_at_once_lose_no_update(self) -> None:
        async def add(database: Database) -> None:
            async with database.transaction() as transaction:
                [row] = await transaction.fetch("SELECT total FROM sums WHERE id = 1")
                await transaction.execute("UPDATE sums SET total = ? WHERE id = 1", (row["total"] + 1,))

        async def add_in_the_end(database: Database) -> None:
            while True:
                try:
                    return await add(database)
                except TransactionConflict:
                    assert "serial" not in capabilities(database)

        async def case(database: Database) -> None:
            await database.execute("CREATE TABLE sums (id INTEGER PRIMARY KEY, total INTEGER)")
            await database.execute("INSERT INTO sums (id, total) VALUES (1, 0)")
            await asyncio.gather(*(add_in_the_end(database) for _ in range(50)))
            assert await database.fetch("SELECT total FROM sums") == [{"total": 50}]

        self.check(case)

    def test_what_a_transaction_has_read_does_not_change(self) -> None:
        async def case(database: Database) -> None:
            await make(database, 1)
            begun = asyncio.Event()

            async def read() -> list[list[int]]:
                async with database.transaction() as transaction:
                    before = [row["id"] for row in await transaction.fetch(IDS)]
                    begun.set()
                    await asyncio.wait({writing}, timeout=0.05)
                    return [before, [row["id"] for row in await transaction.fetch(IDS)]]

            async def write() -> None:
                await begun.wait()
                await database.execute(INSERT, (2, "b"))

            writing = asyncio.ensure_future(write())
            assert await read() == [[1], [1]]
            await writing
            assert await ids(database) == [1, 2]

        self.check(case)

    def test_a_table_made_in_a_transaction_goes_with_it_or_is_refused(self) -> None:
        async def work(database: Database) -> None:
            async with database.transaction() as transaction:
                await transaction.execute("CREATE TABLE items (id INTEGER PRIMARY KEY)")
                raise Mishap

        async def case(database: Database) -> None:
            with pytest.raises(Mishap if "transactional-ddl" in capabilities(database) else TransactionError):
                await work(database)
            with pytest.raises(QueryError):
                await ids(database)

        self.check(case)

    def test_statements_of_one_transaction_may_run_at_once(self) -> None:
        async def case(database: Database) -> None:
            await make(database)
            async with database.transaction() as transaction:
                await asyncio.gather(*(transaction.execute(INSERT, (one, "x")) for one in range(20)))
            assert await ids(database) == list(range(20))

        self.check(case)

    def test_transactions_do_not_nest(self) -> None:
        async def case(database: Database) -> None:
            await make(database)
            async with database.transaction() as transaction:
                await transaction.execute(INSERT, (1, "a"))
                with pytest.raises(TransactionError):
                    async with database.transaction():
                        pass
            assert await ids(database) == [1]

        self.check(case)

    def test_inside_a_transaction_the_database_itself_is_refused(self) -> None:
        async def case(database: Database) -> None:
            await make(database)
            async with database.transaction():
                with pytest.raises(TransactionError):
                    await database.execute(INSERT, (1, "a"))
                with pytest.raises(TransactionError):
                    await asyncio.ensure_future(ids(database))
            assert await ids(database) == []

        self.check(case)

    def test_a_transaction_ends_with_its_block(self) -> None:
        async def case(database: Database) -> None:
            await make(database)
            async with database.transaction() as transaction:
                pass
            with pytest.raises(TransactionError):
                await transaction.execute(INSERT, (1, "a"))
            with pytest.raises(TransactionError):
                await transaction.fetch(IDS)
            assert await ids(database) == []

        self.check(case)

    @pytest.mark.parametrize(
        "sql", ["BEGIN", "begin transaction", "/* x */ -- y\n COMMIT", ";ROLLBACK", "END", "SAVEPOINT a", "RELEASE a"]
    )
    def test_sql_does_not_begin_or_end_transactions(self, sql: str) -> None:
        async def case(database: Database) -> None:
            await make(database)
            with pytest.raises(TransactionError):
                await database.execute(sql)
            with pytest.raises(TransactionError):
                async with database.transaction() as transaction:
                    await transaction.execute(INSERT, (1, "a"))
                    await transaction.execute(sql)
            assert await ids(database) == []

        self.check(case)

    def test_a_transaction_cancelled_at_any_step_happens_whole_or_not(self) -> None:
        async def work(database: Database) -> None:
            async with database.transaction() as transaction:
                await transaction.execute(INSERT, (1, "a"))
                await transaction.fetch(IDS)
                await transaction.execute(INSERT, (2, "b"))

        async def case(database: Database) -> None:
            await make(database)
            async for _ in cancelled_at_every_step(lambda: work(database)):
                assert await ids(database) in ([], [1, 2])
                await database.execute("DELETE FROM items")
            assert await ids(database) == [1, 2]

        self.check(case)

    def test_a_transaction_cancelled_again_while_it_ends_is_rolled_back(self) -> None:
        async def work(database: Database, written: asyncio.Event) -> None:
            async with database.transaction() as transaction:
                await transaction.execute(INSERT, (1, "a"))
                written.set()
                await asyncio.Event().wait()

        async def case(database: Database) -> None:
            await make(database)
            for turns in range(30):
                written = asyncio.Event()
                task = asyncio.ensure_future(work(database, written))
                await written.wait()
                for _ in range(3):
                    task.cancel()
                    for _ in range(turns):
                        await asyncio.sleep(0)
                await asyncio.wait({task})
                assert task.cancelled()
                assert await ids(database) == []

        self.check(case)

    def test_a_transaction_that_swallows_a_cancellation_cannot_commit(self) -> None:
        async def case(database: Database) -> None:
            await make(database, 1)

            async def work() -> None:
                async with database.transaction() as transaction:
                    await transaction.execute(INSERT, (2, "b"))
                    task = asyncio.ensure_future(transaction.execute(INSERT, (3, "c")))
                    await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.wait({task})
                    if not task.cancelled():
                        raise TransactionError("it was too quick to be cancelled")

            with pytest.raises(TransactionError):
                await work()
            assert await ids(database) == [1]

        self.check(case)
