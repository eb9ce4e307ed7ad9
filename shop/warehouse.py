"""What was sold, for those who plan."""

from __future__ import annotations

from collections.abc import Mapping

from oneiric import component
from oneiric.adapters.database import Database


@component("service", "warehouse", provider="sql", needs={"database": "adapter:analytics"}, port="shop.ports:Warehouse")
class SqlWarehouse:
    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def start(self) -> None:
        await self._database.execute("CREATE TABLE IF NOT EXISTS sold (article TEXT, pieces INTEGER)")

    async def record(self, article: str, pieces: int) -> None:
        await self._database.execute("INSERT INTO sold VALUES (?, ?)", (article, pieces))

    async def sold(self) -> Mapping[str, int]:
        rows = await self._database.fetch("SELECT article, SUM(pieces) AS pieces FROM sold GROUP BY article")
        return {row["article"]: int(row["pieces"]) for row in rows}
