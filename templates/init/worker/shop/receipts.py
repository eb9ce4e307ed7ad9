"""What happens after an order: a receipt for each, and a report every night."""

from __future__ import annotations

from typing import Protocol, TypedDict

from oneiric import component
from oneiric.adapters.storage import Storage


class OrderPlaced(TypedDict):
    """What the topic `order.placed` carries."""

    number: str
    customer: str
    cents: int


@component("event", "receipt", provider="text", needs={"storage": "adapter:storage"})
class Receipt:
    """Keeps a receipt of an order; the same one, however often it is delivered."""

    def __init__(self, *, storage: Storage) -> None:
        self._storage = storage

    async def __call__(self, *, event: OrderPlaced) -> str:
        name = f"receipts/{event['number']}.txt"
        text = f"{event['customer']} paid {event['cents']} cents\n"
        await self._storage.put(name, text.encode(), content_type="text/plain")
        return name


class Report(Protocol):
    async def __call__(self, *, until: str) -> int: ...


@component("task", "report", provider="count", needs={"storage": "adapter:storage"}, port="shop.receipts:Report")
class CountReceipts:
    """How many receipts there are."""

    def __init__(self, *, storage: Storage) -> None:
        self._storage = storage

    async def __call__(self, *, until: str) -> int:
        return len([each async for each in self._storage.list("receipts/")])
