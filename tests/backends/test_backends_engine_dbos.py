"""The engine `dbos`, on SQLite and on PostgreSQL: the contract."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from oneiric import Secret
from oneiric.adapters.engine import Engine
from oneiric.adapters.engine._dbos_places import address, dsn
from oneiric.adapters.engine._dbos_tables import Tables
from oneiric.adapters.engine.dbos import DbosEngine
from oneiric.flows.model import Submission
from oneiric.testing.contracts import started
from oneiric.testing.contracts.engine import Calls, EngineContract, flow
from psycopg.conninfo import conninfo_to_dict

from tests.backends.harness.kinds import POSTGRES
from tests.backends.harness.servers import shared


class OfFile(EngineContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @asynccontextmanager
    async def fresh(self) -> AsyncGenerator[Engine, None]:
        async with started(DbosEngine(path=self.folder / "engine.db", poll=0.05)) as engine:
            yield engine


class TestOfFile(OfFile):
    """Runs in a SQLite file."""

    def test_what_another_process_pauses_begins_nothing_here(self) -> None:
        async def main() -> None:
            calls = Calls()
            async with self.fresh() as engine, self.fresh() as other:
                await engine.work(calls, {})
                await engine.submit(Submission("before", flow("a"), {}))
                await other.pause()
                await engine.submit(Submission("while", flow("b"), {}))
                await engine.result("before")
                await asyncio.sleep(0.2)
                assert calls.names == ["a"]
                await other.resume()
                assert (await engine.result("while"))["state"] == "completed"

        asyncio.run(asyncio.wait_for(main(), 30))

    def test_the_end_of_what_began_here_is_told_and_not_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []
        outcome = Tables.outcome

        def counted(tables: Tables, run: str) -> Any:
            asked.append(run)
            return outcome(tables, run)

        monkeypatch.setattr(Tables, "outcome", counted)
        monkeypatch.setattr("oneiric.adapters.engine.dbos._PAUSE", 60.0)

        async def main() -> None:
            async with self.fresh() as engine:
                await engine.work(Calls(), {})
                names = [f"r{number}" for number in range(20)]

                async def one(name: str) -> None:
                    await engine.submit(Submission(name, flow("a"), {}))
                    await engine.result(name)

                await asyncio.gather(*map(one, names))
                assert sorted(asked) == sorted(names)

        asyncio.run(asyncio.wait_for(main(), 30))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with shared(POSTGRES) as address:
        yield f"postgresql://postgres@{address.host}:{address.port}"


@pytest.fixture(scope="module")
def database(server: str) -> Iterator[str]:
    """A database of its own."""
    name = f"oneiric_{uuid4().hex[:12]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        yield f"{server}/{name}"
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def emptied(database: str) -> None:
    """Leave the tables, without content."""
    with psycopg.connect(database, autocommit=True) as admin:
        found = admin.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'oneiric' AND tablename <> 'dbos_migrations'"
        ).fetchall()
        if found:
            names = ", ".join(f"oneiric.{name}" for (name,) in found)
            admin.execute(f"TRUNCATE {names} CASCADE".encode())


class TestOfServer(EngineContract):
    """Runs in a PostgreSQL server."""

    @pytest.fixture(autouse=True)
    def _place(self, database: str) -> None:
        emptied(database)
        self.url = database

    @asynccontextmanager
    async def fresh(self) -> AsyncGenerator[Any, None]:
        async with started(DbosEngine(url=self.url, poll=0.05)) as engine:
            yield engine


@pytest.mark.parametrize("password", ["not so secret", "a+b%20c", "it's \\ @:/?#", "=,'\""])
def test_any_password_reaches_the_lease_as_it_is(password: str) -> None:
    url = address("postgresql://shop@db:5433/orders", Secret(password), False, None, 7.0)
    words = conninfo_to_dict(dsn(url))
    assert words["password"] == password
    assert (words["user"], words["host"], words["port"], words["dbname"]) == ("shop", "db", "5433", "orders")
    assert words["connect_timeout"] == "7"
