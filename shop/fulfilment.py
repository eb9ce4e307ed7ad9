"""An order that came as an event, step by step to its parcels; settings/workflows.yml says in which order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypedDict

from oneiric import Token, component
from oneiric.adapters.database import Database

from shop import schema
from shop.ports import Payments, Pricing, Shipping

PIECES = 5
"""As many go into one parcel."""


class OrderPlaced(TypedDict):
    """What the topic `order.placed` carries: `number` is the customer's, and one order."""

    number: int
    customer: str
    articles: dict[str, int]


class Reserved(TypedDict):
    cents: int
    parcels: list[str]


class Reserve(Protocol):
    async def __call__(self, *, order: int, articles: dict[str, int]) -> Reserved: ...


class Charge(Protocol):
    async def __call__(self, *, order: int, customer: str, cents: int) -> str: ...


class Label(Protocol):
    async def __call__(self, *, parcel: str, order: int, token: Token | None = None) -> str: ...


class Ship(Protocol):
    async def __call__(self, *, order: int, labels: list[str]) -> int: ...


class Report(Protocol):
    async def __call__(self, *, until: str) -> Mapping[str, int | str]: ...


@component(
    "task",
    "reserve-stock",
    provider="shelf",
    needs={"pricing": "service:pricing", "shipping": "service:shipping"},
    port="shop.fulfilment:Reserve",
    idempotent=True,
)
class Shelf:
    def __init__(self, *, pricing: Pricing, shipping: Shipping) -> None:
        self._pricing, self._shipping = pricing, shipping

    async def __call__(self, *, order: int, articles: dict[str, int]) -> Reserved:
        pieces = sum(articles.values())
        goods = sum([await self._pricing.price(name) * count for name, count in articles.items()])
        parcels = [f"{order}-{number}" for number in range(1, -(-pieces // PIECES) + 1)]
        return {"cents": goods + await self._shipping.quote(pieces), "parcels": parcels}


@component(
    "task",
    "charge-card",
    provider="once",
    needs={"database": "adapter:database", "payments": "service:payments"},
    port="shop.fulfilment:Charge",
    idempotent=True,
)
class ChargeOnce:
    """Charges an order once, however often the step is made: the order's row tells."""

    def __init__(self, *, database: Database, payments: Payments) -> None:
        self._database, self._payments = database, payments

    async def start(self) -> None:
        await schema.create(self._database)

    async def __call__(self, *, order: int, customer: str, cents: int) -> str:
        async with self._database.transaction() as transaction:
            await transaction.execute(
                "INSERT INTO orders (id, customer, cents) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (order, customer, cents),
            )
            rows = await transaction.fetch("SELECT payment FROM orders WHERE id = ?", (order,))
            if (known := rows[0]["payment"]) is not None:
                return str(known)
            payment = await self._payments.charge(order, cents)
            await transaction.execute("UPDATE orders SET payment = ? WHERE id = ?", (payment, order))
        return payment


@component("task", "label", provider="printed", port="shop.fulfilment:Label", idempotent=True)
class PrintedLabel:
    """The carrier's label of a parcel; the token tells a carrier that it is asked again."""

    async def __call__(self, *, parcel: str, order: int, token: Token | None = None) -> str:
        return f"label-{parcel}"


@component(
    "task",
    "ship",
    provider="sql",
    needs={"database": "adapter:database"},
    port="shop.fulfilment:Ship",
    idempotent=True,
)
class Ships:
    """Notes that an order has left; the number of its parcels."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def start(self) -> None:
        await schema.create(self._database)

    async def __call__(self, *, order: int, labels: list[str]) -> int:
        await self._database.execute("UPDATE orders SET parcels = ? WHERE id = ?", (len(labels), order))
        return len(labels)


@component(
    "task",
    "report",
    provider="sums",
    needs={"database": "adapter:database"},
    port="shop.fulfilment:Report",
    idempotent=True,
)
class Sums:
    """What was taken and sent, until an instant: the nightly report."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def start(self) -> None:
        await schema.create(self._database)

    async def __call__(self, *, until: str) -> Mapping[str, int | str]:
        rows = await self._database.fetch(
            "SELECT COUNT(*) AS orders, SUM(cents) AS cents, SUM(parcels) AS parcels FROM orders"
        )
        return {"until": until, **{name: int(rows[0][name] or 0) for name in ("orders", "cents", "parcels")}}
