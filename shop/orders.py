"""Orders: priced, paid, kept, told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import SystemRandom

from oneiric import component
from oneiric.adapters.cache import Cache
from oneiric.adapters.database import Database
from oneiric.adapters.monitoring import Monitoring

from shop import schema
from shop.ports import Check, Notifier, Payments, Pricing, Receipts, Shipping, Tax, Warehouse

NUMBERS = 2**53
"""Orders have numbers below this at random: databases that take turns in a swap never give the same one."""


@component(
    "service",
    "orders",
    provider="shop",
    needs={
        "cache": "adapter:cache",
        "checks": ["service:check.pieces", "service:check.amount"],
        "database": "adapter:database",
        "monitoring": "adapter:monitoring",
        "notifier": "service:notifier",
        "payments": "service:payments",
        "pricing": "service:pricing",
        "receipts": "service:receipts",
        "shipping": "service:shipping",
        "tax": "service:tax",
        "warehouse": "service:warehouse",
    },
    optional=("monitoring",),
    port="shop.ports:Orders",
    eager=True,
)
class ShopOrders:
    def __init__(
        self,
        *,
        cache: Cache,
        checks: Sequence[Check],
        database: Database,
        notifier: Notifier,
        payments: Payments,
        pricing: Pricing,
        receipts: Receipts,
        shipping: Shipping,
        tax: Tax,
        warehouse: Warehouse,
        monitoring: Monitoring | None = None,
        currency: str = "EUR",
    ) -> None:
        self._cache, self._database, self._notifier, self._payments = cache, database, notifier, payments
        self._pricing, self._receipts, self._shipping, self._tax = pricing, receipts, shipping, tax
        self._warehouse, self._monitoring, self._currency = warehouse, monitoring, currency
        self._checks = checks

    async def start(self) -> None:
        await schema.create(self._database)

    async def place(self, customer: str, articles: Mapping[str, int]) -> int:
        for each in self._checks:
            await each.check(customer, articles)
        goods = sum([await self._pricing.price(name) * pieces for name, pieces in articles.items()])
        total = goods + await self._shipping.quote(sum(articles.values()))
        order = SystemRandom().randrange(NUMBERS)
        async with self._database.transaction() as transaction:
            await transaction.execute(
                "INSERT INTO orders (id, customer, cents) VALUES (?, ?, ?)", (order, customer, total)
            )
            payment = await self._payments.charge(order, total)
            await transaction.execute("UPDATE orders SET payment = ? WHERE id = ?", (payment, order))
        for article, pieces in articles.items():
            await self._warehouse.record(article, pieces)
        tax = await self._tax.included(total)
        text = f"order {order}: {self._money(total)}, tax included {self._money(tax)}, payment {payment}"
        receipt = await self._receipts.write(order, text)
        await self._notifier.notify(customer, f"{text}; your receipt is {receipt}")
        if self._monitoring is not None:
            self._monitoring.metric("shop.cents", total)
        return order

    async def paid(self, order: int) -> str | None:
        if (known := await self._cache.get(f"paid:{order}")) is not None:
            return known.decode()
        rows = await self._database.fetch("SELECT payment FROM orders WHERE id = ?", (order,))
        if not rows:
            return None
        payment: str = rows[0]["payment"]
        await self._cache.set(f"paid:{order}", payment.encode(), ttl=60)
        return payment

    def _money(self, cents: int) -> str:
        return f"{cents // 100}.{cents % 100:02} {self._currency}"
