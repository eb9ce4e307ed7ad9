"""Taking orders."""

from __future__ import annotations

from uuid import uuid4

from oneiric import component
from oneiric.adapters.cache import Cache
from oneiric.adapters.database import Database

from shop.ports import Payments


@component(
    "service",
    "orders",
    provider="shop",
    needs={"database": "adapter:database", "cache": "adapter:cache", "payments": "service:payments"},
    port="shop.ports:Orders",
)
class ShopOrders:
    """Keeps orders in the database; the cache answers for recent ones."""

    def __init__(self, *, database: Database, cache: Cache, payments: Payments, remember_seconds: float = 60.0) -> None:
        self._database = database
        self._cache = cache
        self._payments = payments
        self._remember_seconds = remember_seconds

    async def start(self) -> None:
        await self._database.execute(
            "CREATE TABLE IF NOT EXISTS orders (number TEXT PRIMARY KEY, customer TEXT, cents INTEGER, payment TEXT)"
        )

    async def place(self, customer: str, cents: int) -> str:
        order = uuid4().hex
        payment = await self._payments.charge(customer, cents, order=order)
        await self._database.execute("INSERT INTO orders VALUES (?, ?, ?, ?)", (order, customer, cents, payment))
        await self._cache.set(f"order/{order}", payment.encode(), ttl=self._remember_seconds)
        return order

    async def payment(self, order: str) -> str | None:
        if (known := await self._cache.get(f"order/{order}")) is not None:
            return known.decode()
        rows = await self._database.fetch("SELECT payment FROM orders WHERE number = ?", (order,))
        return str(rows[0]["payment"]) if rows else None
