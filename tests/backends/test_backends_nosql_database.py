"""The documents in databases of servers: the contract; and in that of an application."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import oneiric
import pymysql
import pytest
from oneiric import Runtime
from oneiric.adapters.database import Database
from oneiric.adapters.database.mysql import MySQLDatabase
from oneiric.adapters.database.postgres import PostgresDatabase
from oneiric.adapters.nosql import Documents
from oneiric.adapters.nosql.database import DatabaseDocuments
from oneiric.testing.contracts import NosqlContract, started
from oneiric.testing.contracts.running import run

from tests.backends.application import compiled
from tests.backends.harness.servers import Address
from tests.backends.postgres import admin

NAME = f"oneiric_test_{uuid4().hex}"


@pytest.fixture(scope="module", name="in_postgres")
def a_database_of_postgres(postgres: Address) -> Iterator[Address]:
    admin(postgres, f"CREATE DATABASE {NAME}")
    yield postgres
    admin(postgres, f"DROP DATABASE {NAME} WITH (FORCE)")


@pytest.fixture(scope="module", name="in_mysql")
def a_database_of_mariadb(mariadb: Address) -> Iterator[Address]:
    root = pymysql.connect(host=mariadb.host, port=mariadb.port, user="root")
    with closing(root), root.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {NAME} CHARACTER SET latin1")
        yield mariadb
        cursor.execute(f"DROP DATABASE {NAME}")


@asynccontextmanager
async def emptied(database: Database) -> AsyncGenerator[Documents, None]:
    async with started(database), started(DatabaseDocuments(database=database)) as documents:
        await database.execute("DELETE FROM oneiric_documents")
        yield documents


class TestDocumentsInPostgres(NosqlContract):
    @pytest.fixture(autouse=True)
    def server(self, in_postgres: Address) -> None:
        self.address = in_postgres

    def fresh(self) -> AbstractAsyncContextManager[Documents]:
        return emptied(PostgresDatabase(host=self.address.host, port=self.address.port, database=NAME))


class TestDocumentsInMySQL(NosqlContract):
    @pytest.fixture(autouse=True)
    def server(self, in_mysql: Address) -> None:
        self.address = in_mysql

    def fresh(self) -> AbstractAsyncContextManager[Documents]:
        return emptied(MySQLDatabase(host=self.address.host, port=self.address.port, user="root", database=NAME))


def test_where_it_is_selected_the_database_comes_with_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with Runtime(oneiric.load(compiled(tmp_path, "nosql", "database", {}))) as runtime:
            wiring: Any = runtime.wiring
            documents: Documents = wiring.adapters.nosql.live
            async with documents.transaction() as changes:
                await changes.put("books", "a", {"n": 1})
            assert [document.data async for document in documents.find("books", {"n": 1})] == [{"n": 1}]
            [row] = await wiring.adapters.database.live.fetch("SELECT COUNT(*) AS c FROM oneiric_documents")
            assert row["c"] == 1

    run(main())
