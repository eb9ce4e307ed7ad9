"""The migration that docs/schema.md shows holds: many at once apply each step once."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from oneiric.adapters.database.duckdb import DuckDBDatabase
from oneiric.adapters.database.sqlite import SQLiteDatabase
from oneiric.testing.contracts import started

PAGE = (Path(__file__).parents[2] / "docs/schema.md").read_text("utf-8")


def shown() -> dict[str, Any]:
    """What the page's program defines."""
    found = re.search(r"```python\n(# migrate\.py.*?)```", PAGE, re.S)
    assert found is not None
    namespace: dict[str, Any] = {"__name__": "migrate"}
    exec(compile(found[1], "docs/schema.md", "exec"), namespace)
    return namespace


async def migrated(databases: list[Any], migrate: Any) -> None:
    for _ in range(2):
        async with asyncio.timeout(60):
            await asyncio.gather(*(migrate(database) for database in databases for _ in range(5)))
    rows = await databases[0].fetch("SELECT step FROM migrations ORDER BY step")
    assert [row["step"] for row in rows] == [1, 2]
    await databases[0].execute("INSERT INTO orders (number, cents) VALUES ('a', 1)")
    assert (await databases[0].fetch("SELECT currency FROM orders"))[0]["currency"] == "EUR"


@pytest.mark.parametrize("database", [SQLiteDatabase, DuckDBDatabase], ids=["sqlite", "duckdb"])
def test_many_at_once_apply_each_step_once(database: Any, tmp_path: Path) -> None:
    async def run() -> None:
        async with started(database(path=str(tmp_path / "data"))) as own:
            await migrated([own], shown()["migrate"])

    asyncio.run(run())


def test_two_processes_of_sqlite(tmp_path: Path) -> None:
    async def run() -> None:
        path = str(tmp_path / "data")
        async with started(SQLiteDatabase(path=path)) as one, started(SQLiteDatabase(path=path)) as other:
            await migrated([one, other], shown()["migrate"])

    asyncio.run(run())
