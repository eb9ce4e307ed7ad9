"""The contract of the port `database`."""

from __future__ import annotations

import asyncio
from secrets import token_hex
from typing import Any

import pytest

from oneiric.adapters.database import (
    Database,
    DatabaseError,
    DatabaseMisconfigured,
    DatabaseRefused,
    DatabaseUnavailable,
    IntegrityError,
    QueryError,
)
from oneiric.testing.contracts.database_transactions import INSERT, TransactionCases, ids, make
from oneiric.testing.contracts.networked import NetworkedContract
from oneiric.testing.contracts.running import cancelled_at_every_step, close, health


class DatabaseContract(TransactionCases):
    """Cases for an empty database: subclass it and override `fresh`, and `blob` or `timestamp` (of
    microseconds, without time zone) where those types have other names.

    A database with the capability `serial` never raises `TransactionConflict`; one without `transactional-ddl`
    refuses CREATE and the like in a transaction.
    """

    blob = "BLOB"
    timestamp = "TIMESTAMP"

    def test_a_fresh_database_is_healthy(self) -> None:
        async def case(database: Database) -> None:
            assert await health(database)

        self.check(case)

    def test_execute_says_how_many_rows_it_changed(self) -> None:
        async def case(database: Database) -> None:
            assert await database.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, body VARCHAR(100))") == 0
            assert await database.execute(f"{INSERT}, (?, ?), (?, ?)", (1, "a", 2, "b", 3, "c")) == 3
            assert await database.execute("UPDATE items SET body = ? WHERE id > ?", ("x", 1)) == 2
            assert await database.execute("UPDATE items SET body = 'x' WHERE id > 9") == 0
            assert await database.execute("SELECT id FROM items") == 0
            assert await database.execute("DELETE FROM items") == 3

        self.check(case)

    def test_fetch_gives_rows_by_column_name(self) -> None:
        async def case(database: Database) -> None:
            await make(database, 2, 1)
            got = await database.fetch("SELECT id, body AS text FROM items ORDER BY id")
            assert [dict(row) for row in got] == [{"id": 1, "text": "body 1"}, {"id": 2, "text": "body 2"}]
            assert await database.fetch("SELECT id FROM items WHERE id = ?", [9]) == []

        self.check(case)

    def test_fetch_of_a_change_changes(self) -> None:
        async def case(database: Database) -> None:
            await make(database)
            assert await database.fetch(INSERT, (1, "a")) == []
            assert await ids(database) == [1]

        self.check(case)

    @pytest.mark.parametrize(
        "text", ["", " ", "héllo", "\N{SNOWMAN}\N{GRINNING FACE}", "?", "'; DROP TABLE items; --", "a\r\nb", "%s {} $1"]
    )
    def test_every_text_survives(self, text: str) -> None:
        async def case(database: Database) -> None:
            await make(database)
            await database.execute(INSERT, (1, text))
            [row] = await database.fetch("SELECT body FROM items WHERE body = ?", (text,))
            assert row["body"] == text

        self.check(case)

    @pytest.mark.parametrize("value", [b"", b"\0", bytes(range(256)), bytes(range(256)) * 16 * 1024])
    def test_every_byte_survives(self, value: bytes) -> None:
        async def case(database: Database) -> None:
            await database.execute(f"CREATE TABLE files (id INTEGER PRIMARY KEY, content {self.blob})")
            await database.execute("INSERT INTO files (id, content) VALUES (?, ?)", (1, value))
            [row] = await database.fetch("SELECT content FROM files")
            assert row["content"] == value
            assert type(row["content"]) is bytes

        self.check(case)

    @pytest.mark.parametrize("value", [0, -(2**63), 2**63 - 1, 0.1, -1e300, None])
    def test_every_number_and_null_survive(self, value: float | None) -> None:
        async def case(database: Database) -> None:
            column = "DOUBLE PRECISION" if isinstance(value, float) else "BIGINT"
            await database.execute(f"CREATE TABLE numbers (id INTEGER PRIMARY KEY, number {column})")
            await database.execute("INSERT INTO numbers (id, number) VALUES (?, ?)", (1, value))
            [row] = await database.fetch("SELECT number FROM numbers")
            assert row["number"] == value

        self.check(case)

    def test_true_and_false_survive(self) -> None:
        async def case(database: Database) -> None:
            await database.execute("CREATE TABLE flags (id INTEGER PRIMARY KEY, flag BOOLEAN)")
            await database.execute("INSERT INTO flags (id, flag) VALUES (?, ?), (?, ?)", (1, True, 2, False))
            assert [bool(row["flag"]) for row in await database.fetch("SELECT flag FROM flags ORDER BY id")] == [
                True,
                False,
            ]

        self.check(case)

    def test_a_question_mark_in_a_text_is_no_parameter(self) -> None:
        async def case(database: Database) -> None:
            await make(database)
            await database.execute("INSERT INTO items (id, body) VALUES (?, 'why?')", (1,))
            [row] = await database.fetch("SELECT body FROM items /* ? */ WHERE id = ? -- ?", (1,))
            assert row["body"] == "why?"

        self.check(case)

    @pytest.mark.parametrize(
        "parameters", [(2**63,), (-(2**63) - 1,), (float("nan"),), ("\ud800",), (object(),), ([1],), (bytearray(b"x"),)]
    )
    def test_what_is_no_parameter_is_refused(self, parameters: Any) -> None:
        async def case(database: Database) -> None:
            await make(database)
            with pytest.raises(QueryError):
                await database.execute("INSERT INTO items (id) VALUES (?)", parameters)
            assert await ids(database) == []

        self.check(case)

    @pytest.mark.parametrize(
        ("sql", "parameters"),
        [
            ("SELEC 1", ()),
            ("SELECT * FROM missing", ()),
            ("SELECT missing FROM items", ()),
            ("SELECT ? FROM items", ()),
            ("SELECT id FROM items WHERE id = ?", (1, 2)),
            ("DELETE FROM items; DELETE FROM items", ()),
            ("", ()),
            (" ; -- nothing\n /* at all */", ()),
            ("SELECT '\0'", ()),
            ("SELECT '\ud800'", ()),
            ("CREATE TABLE items (id INTEGER)", ()),
            ("SELECT id, id FROM items", ()),
        ],
    )
    def test_a_wrong_statement_is_a_query_error(self, sql: str, parameters: tuple[int, ...]) -> None:
        async def case(database: Database) -> None:
            await make(database, 1)
            with pytest.raises(QueryError):
                await database.fetch(sql, parameters)
            with pytest.raises(QueryError):
                await database.execute(sql, parameters)
            assert await ids(database) == [1]

        self.check(case)

    def test_a_broken_constraint_is_an_integrity_error(self) -> None:
        async def case(database: Database) -> None:
            await make(database, 1)
            await database.execute(
                "CREATE TABLE parts (item INTEGER NOT NULL REFERENCES items (id), size INTEGER CHECK (size > 0))"
            )
            with pytest.raises(IntegrityError):
                await database.execute(INSERT, (1, "again"))
            for part in ((None, 1), (1, 0), (99, 1)):
                with pytest.raises(IntegrityError):
                    await database.execute("INSERT INTO parts (item, size) VALUES (?, ?)", part)
            assert await database.execute("INSERT INTO parts (item, size) VALUES (?, ?)", (1, 1)) == 1

        self.check(case)

    def test_a_failing_statement_changes_nothing(self) -> None:
        async def case(database: Database) -> None:
            await make(database, 3)
            with pytest.raises(IntegrityError):
                await database.execute(f"{INSERT}, (?, ?), (?, ?)", (1, "a", 2, "b", 3, "c"))
            assert await ids(database) == [3]

        self.check(case)

    @pytest.mark.parametrize("text", ["2024-02-29 12:30:45", "1999-12-31 23:59:59.123456"])
    def test_a_time_is_given_as_text(self, text: str) -> None:
        async def case(database: Database) -> None:
            await database.execute(f"CREATE TABLE times (id INTEGER PRIMARY KEY, moment {self.timestamp})")
            await database.execute("INSERT INTO times (id, moment) VALUES (?, ?), (?, ?)", (1, text, 2, None))
            for _ in range(2):
                [row] = await database.fetch("SELECT moment FROM times WHERE moment = ?", (text,))
                assert str(row["moment"]) == text

        self.check(case)

    def test_fifty_statements_at_once(self) -> None:
        async def case(database: Database) -> None:
            await make(database)
            await asyncio.gather(*(database.execute(INSERT, (one, "x")) for one in range(50)))
            assert await asyncio.gather(*(ids(database) for _ in range(50))) == [list(range(50))] * 50

        self.check(case)

    def test_many_at_once_create_what_is_missing(self) -> None:
        async def case(database: Database) -> None:
            for _ in range(10):
                create = "CREATE TABLE IF NOT EXISTS made (id INTEGER PRIMARY KEY)"
                await asyncio.gather(*(database.execute(create) for _ in range(10)))
                await database.execute("DROP TABLE made")

        self.check(case)

    def test_a_statement_cancelled_at_any_step_happens_whole_or_not(self) -> None:
        async def case(database: Database) -> None:
            await make(database)
            insert = f"{INSERT}, (?, ?)"
            async for _ in cancelled_at_every_step(lambda: database.execute(insert, (1, "a", 2, "b"))):
                assert await ids(database) in ([], [1, 2])
                await database.execute("DELETE FROM items")
            assert await ids(database) == [1, 2]

        self.check(case)

    def test_a_cancelled_wait_for_a_turn_lets_others_go_on(self) -> None:
        async def case(database: Database) -> None:
            await make(database)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(database.execute(INSERT, (one, "x"))) for one in range(50)]
                await asyncio.sleep(0)
                for task in tasks[1::2]:
                    task.cancel()
            assert set(range(0, 50, 2)) <= set(await ids(database))

        self.check(case)

    def test_closing_twice_is_fine(self) -> None:
        async def case(database: Database) -> None:
            await close(database)
            await close(database)

        self.check(case)

    def test_a_closed_database_refuses_every_call(self) -> None:
        async def case(database: Database) -> None:
            await close(database)
            with pytest.raises(DatabaseError):
                await database.execute("SELECT 1")
            with pytest.raises(DatabaseError):
                await database.fetch("SELECT 1")
            with pytest.raises(DatabaseError):
                async with database.transaction():
                    pass

        self.check(case)

    def test_closing_while_others_work_gives_them_errors_of_the_port(self) -> None:
        async def case(database: Database) -> None:
            await make(database)

            async def write(one: int) -> None:
                async with database.transaction() as transaction:
                    await transaction.execute(INSERT, (one, "x"))

            tasks = [asyncio.ensure_future(write(one)) for one in range(20)]
            tasks += [asyncio.ensure_future(ids_quietly(database)) for _ in range(20)]
            await asyncio.sleep(0.002)
            await close(database)
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                assert result is None or isinstance(result, DatabaseError), repr(result)

        async def ids_quietly(database: Database) -> None:
            await ids(database)

        self.check(case)

    @pytest.mark.parametrize("turns", [0, 1, 2, 5, 10, 30])
    def test_closing_while_others_are_cancelled_waits_for_their_ends(self, turns: int) -> None:
        async def case(database: Database) -> None:
            await make(database)
            tasks = [asyncio.ensure_future(database.execute(INSERT, (one, "x"))) for one in range(20)]
            await asyncio.sleep(0.002)
            for task in tasks[::2]:
                task.cancel()
            for _ in range(turns):
                await asyncio.sleep(0)
            await asyncio.gather(close(database), close(database))
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                assert result == 1 or isinstance(result, DatabaseError | asyncio.CancelledError), repr(result)

        self.check(case)


USES = "CREATE TABLE uses (id INTEGER PRIMARY KEY, body VARCHAR(100))"
"""What every database of a `NetworkedDatabaseContract` needs."""


class NetworkedDatabaseContract(NetworkedContract[Database]):
    """Cases for a database behind a network that has the table `USES`, besides those of `DatabaseContract`."""

    base = DatabaseError
    unavailable = DatabaseUnavailable
    refusal = DatabaseRefused
    misconfigured = DatabaseMisconfigured

    async def use(self, component: Database, number: int = 0) -> None:
        body = f"body {number} {token_hex(20)}"
        await component.execute("DELETE FROM uses WHERE id = ?", (number,))
        await component.execute("INSERT INTO uses (id, body) VALUES (?, ?)", (number, body))
        async with component.transaction() as transaction:
            assert await transaction.fetch("SELECT body FROM uses WHERE id = ?", (number,)) == [{"body": body}]
