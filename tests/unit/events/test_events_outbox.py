"""The outbox on embedded databases, and where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from oneiric import EngineError, Runtime
from oneiric.adapters.database.duckdb import DuckDBDatabase
from oneiric.adapters.database.sqlite import SQLiteDatabase

from tests.unit.events.outboxes import OutboxCases, SharedOutboxCases
from tests.unit.events.parts import wired
from tests.unit.runtime.making import run


class TestSQLite(SharedOutboxCases):
    provider = "sqlite"

    @pytest.fixture(autouse=True)
    def path(self, tmp_path: Path) -> None:
        self._path = str(tmp_path / "orders.db")

    def make(self) -> Any:
        return SQLiteDatabase(path=self._path, pragmas={"journal_mode": "wal"})


class TestDuckDB(OutboxCases):
    provider = "duckdb"

    @pytest.fixture(autouse=True)
    def path(self, tmp_path: Path) -> None:
        self._path = str(tmp_path / "orders.duckdb")

    def make(self) -> Any:
        return DuckDBDatabase(path=self._path)


def test_a_database_that_cannot_keep_one_is_told() -> None:
    wiring = wired({}, {}, adapters={"database": ("mine", SQLiteDatabase)}, outbox="adapter:database")

    async def main() -> None:
        async with Runtime(wiring):
            pass

    with pytest.raises(EngineError, match="adapter:database is served by mine, where an outbox cannot be kept"):
        run(main())
