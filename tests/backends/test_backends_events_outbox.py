"""The outbox on servers, and processes that are killed while they write and relay."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pymysql
import pytest
from oneiric.adapters.database.mysql import MySQLDatabase
from oneiric.adapters.database.postgres import PostgresDatabase

from tests.backends.harness.servers import Address
from tests.backends.pooled import Place
from tests.backends.test_backends_database_postgres import admin as postgres_admin
from tests.unit.events.killing import Where, killed
from tests.unit.events.outboxes import ConcurrentOutboxCases
from tests.unit.events.restoring import restored as restored  # a fixture

KILLS = int(os.environ.get("ONEIRIC_KILLS", "2"))
"""How often processes are killed, on each database."""


def mysql_admin(address: Address, statement: str) -> None:
    with pymysql.connect(host=address.host, port=address.port, user="root", autocommit=True) as connection:
        connection.cursor().execute(statement)


@pytest.fixture(name="postgres_place")
def a_postgres_database(postgres: Address) -> Iterator[Place]:
    place = Place(postgres.host, postgres.port, f"oneiric_test_{uuid4().hex}")
    postgres_admin(place, f"CREATE DATABASE {place.name}")
    try:
        yield place
    finally:
        postgres_admin(place, f"DROP DATABASE {place.name} WITH (FORCE)")


@pytest.fixture(name="mysql_place")
def a_mysql_database(mariadb: Address) -> Iterator[Place]:
    place = Place(mariadb.host, mariadb.port, f"oneiric_test_{uuid4().hex}")
    mysql_admin(mariadb, f"CREATE DATABASE {place.name} CHARACTER SET utf8mb4")
    try:
        yield place
    finally:
        mysql_admin(mariadb, f"DROP DATABASE {place.name}")


class TestPostgres(ConcurrentOutboxCases):
    provider = "postgres"

    @pytest.fixture(autouse=True)
    def place(self, postgres_place: Place) -> None:
        self._place = postgres_place

    def make(self) -> Any:
        return PostgresDatabase(host=self._place.host, port=self._place.port, database=self._place.name)


class TestMySQL(ConcurrentOutboxCases):
    provider = "mysql"

    @pytest.fixture(autouse=True)
    def place(self, mysql_place: Place) -> None:
        self._place = mysql_place

    def make(self) -> Any:
        return MySQLDatabase(host=self._place.host, port=self._place.port, database=self._place.name)


def test_kills_on_postgres(postgres_place: Place, tmp_path: Path) -> None:
    killed(Where("postgres", postgres_place.host, postgres_place.port, postgres_place.name, str(tmp_path)), KILLS)


def test_kills_on_mysql(mysql_place: Place, tmp_path: Path) -> None:
    killed(Where("mysql", mysql_place.host, mysql_place.port, mysql_place.name, str(tmp_path)), KILLS)


def test_kills_on_sqlite(tmp_path: Path) -> None:
    killed(Where("sqlite", "", 0, str(tmp_path / "orders.db"), str(tmp_path)), KILLS)
