"""The shop's tables: whoever starts first makes them."""

from __future__ import annotations

from pathlib import Path

from oneiric.adapters.database import Database


async def create(database: Database) -> None:
    await database.execute(Path(__file__).with_name("schema.sql").read_text("utf-8"))
