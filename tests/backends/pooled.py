"""What a database over a pool of connections promises besides the contracts: the same cases for each server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from oneiric.adapters.database import (
    Database,
    DatabaseClosed,
    DatabaseRefused,
    DatabaseUnavailable,
    TransactionConflict,
)
from oneiric.adapters.database._pooled import PooledDatabase
from oneiric.testing.contracts import started
from oneiric.testing.contracts.running import run

from tests.backends.harness.certificates import Authority
from tests.backends.harness.servers import Address, Server


@dataclass(frozen=True)
class Place(Address):
    """A database of its own on a server."""

    name: str


class PoolCases:
    """A subclass gives `database` with the empty table of `USES`, a `sleep` of 100 seconds and the number of those
    who are `sleeping` as `c`."""

    sleep: str
    sleeping: str

    def database(self, **settings: object) -> PooledDatabase:
        raise NotImplementedError

    @asynccontextmanager
    async def pair(self, **settings: object) -> AsyncGenerator[tuple[PooledDatabase, Database], None]:
        async with started(self.database(**settings)) as one, started(self.database()) as other:
            yield one, other

    async def somebody_sleeps(self, other: Database) -> None:
        while await other.fetch(self.sleeping) == [{"c": 0}]:
            await asyncio.sleep(0.005)

    async def nobody_sleeps(self, other: Database) -> None:
        assert await other.fetch(self.sleeping) == [{"c": 0}]

    def test_a_database_that_is_missing_is_unavailable(self) -> None:
        async def main() -> None:
            with pytest.raises(DatabaseUnavailable, match="setting database"):
                async with started(self.database(database="no_such_database")):
                    pass

        run(main())

    def test_when_all_connections_are_taken_one_waits_and_then_is_told(self) -> None:
        async def main() -> None:
            async with started(self.database(max_connections=2, connect_timeout=0.2)) as database:
                left = asyncio.Event()

                async def occupy(taken: asyncio.Event) -> None:
                    async with database.transaction() as transaction:
                        await transaction.execute("SELECT 1")
                        taken.set()
                        await left.wait()

                events = [asyncio.Event(), asyncio.Event()]
                async with asyncio.TaskGroup() as group:
                    for event in events:
                        group.create_task(occupy(event))
                    for event in events:
                        await event.wait()
                    with pytest.raises(
                        DatabaseUnavailable, match=r"all 2 connections were busy .*setting max_connections"
                    ):
                        await database.fetch("SELECT 1 AS one")
                    assert not await database.health()
                    left.set()
                assert await database.health()

        run(main())

    def test_an_endless_statement_is_ended_on_the_server_by_the_timeout(self) -> None:
        async def main() -> None:
            async with self.pair(timeout=0.2) as (database, other):
                with pytest.raises(DatabaseUnavailable, match="setting timeout"):
                    await database.fetch(self.sleep)
                await self.nobody_sleeps(other)
                assert await database.health()

        run(main())

    def test_an_endless_statement_is_ended_on_the_server_by_a_cancellation(self) -> None:
        async def main() -> None:
            async with self.pair(max_connections=1) as (database, other):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1), database.transaction() as transaction:
                        await transaction.execute("INSERT INTO uses VALUES (1, 'x')")
                        await transaction.fetch(self.sleep)
                await self.nobody_sleeps(other)
                assert await database.fetch("SELECT * FROM uses") == []

        run(main())

    def test_an_endless_statement_is_ended_on_the_server_by_closing(self) -> None:
        async def main() -> None:
            async with self.pair() as (database, other):
                task = asyncio.ensure_future(database.fetch(self.sleep))
                await self.somebody_sleeps(other)
                await database.aclose()
                with pytest.raises(DatabaseClosed):
                    await task
                await self.nobody_sleeps(other)

        run(main())

    def test_an_endless_statement_is_ended_once_when_it_is_cancelled_and_closed_at_the_same_time(self) -> None:
        async def main() -> None:
            async with started(self.database()) as other:
                for turns in range(0, 20, 4):
                    async with started(self.database()) as database:
                        task = asyncio.ensure_future(database.fetch(self.sleep))
                        await self.somebody_sleeps(other)
                        task.cancel()
                        for _ in range(turns):
                            await asyncio.sleep(0)
                        await database.aclose()
                        await asyncio.wait({task})
                        assert task.cancelled()
                    await self.nobody_sleeps(other)

        run(main())

    def test_closing_rolls_open_transactions_back(self) -> None:
        async def main() -> None:
            async with self.pair() as (database, other):
                with pytest.raises(DatabaseClosed):
                    async with database.transaction() as transaction:
                        await transaction.execute("INSERT INTO uses VALUES (1, 'x')")
                        await database.aclose()
                assert await other.fetch("SELECT * FROM uses") == []

        run(main())

    def test_who_changes_what_changed_meanwhile_is_told_to_do_it_again(self) -> None:
        async def main() -> None:
            async with self.pair() as (database, other):
                await database.execute("INSERT INTO uses VALUES (1, 'a')")
                with pytest.raises(TransactionConflict):
                    async with database.transaction() as transaction:
                        await transaction.fetch("SELECT * FROM uses")
                        await other.execute("UPDATE uses SET body = 'b'")
                        await transaction.execute("UPDATE uses SET body = 'c'")
                assert await database.fetch("SELECT body FROM uses") == [{"body": "b"}]

        run(main())

    def test_a_returning_clause_gives_rows_and_their_number(self) -> None:
        async def main() -> None:
            async with started(self.database()) as database:
                insert = "INSERT INTO uses VALUES (?, 'a'), (?, 'b') RETURNING id"
                assert await database.execute(insert, (1, 2)) == 2
                assert await database.fetch(insert, (3, 4)) == [{"id": 3}, {"id": 4}]

        run(main())


class EncryptionCases:
    """A subclass gives a `server` with a certificate for 127.0.0.1 by an authority, the `component` for it, and a
    statement with one row, whose last value says whether its connection is `encrypted`."""

    encrypted: str

    def server(self, authority: Authority) -> AbstractContextManager[Server]:
        raise NotImplementedError

    def component(self, host: str, port: int, **settings: object) -> PooledDatabase:
        raise NotImplementedError

    def test_a_server_with_the_right_certificate_is_trusted(self, tmp_path: Path) -> None:
        async def main() -> None:
            async with started(self.component(server.host, server.port, tls=True, ca_file=ca)) as database:
                [row] = await database.fetch(self.encrypted)
                assert list(row.values())[-1]
            for unsure in (
                self.component(server.host, server.port, tls=True),
                self.component(server.host, server.port, tls=True, ca_file=other),
                self.component("localhost", server.port, tls=True, ca_file=ca),
            ):
                with pytest.raises(DatabaseRefused, match="setting ca_file"):
                    async with started(unsure):
                        pass

        authority = Authority()
        ca, other = authority.write(tmp_path / "ca.pem"), Authority().write(tmp_path / "other.pem")
        with self.server(authority) as server:
            run(main())
