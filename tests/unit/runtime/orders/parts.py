"""What the wiring of orders is of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypedDict


@dataclass
class Order:
    id: str
    quantity: int


class OrderPlaced(TypedDict):
    customer: str
    cents: int


class Reserved(TypedDict):
    cents: int
    parcels: list[str]


class Charged(TypedDict):
    id: str


class ReserveStock(Protocol):
    async def __call__(self, *, order: str, quantity: int) -> Reserved: ...


class ChargeCard(Protocol):
    async def __call__(self, *, order: str, cents: int) -> Charged: ...


class Label(Protocol):
    async def __call__(self, *, parcel: str) -> str: ...


class Ledger:
    """What was done, by whom; and what goes wrong next."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.faults: dict[str, Exception] = {}

    def note(self, *what: Any) -> None:
        self.done.append(what)
        error = self.faults.get(what[0])
        if error is not None:
            raise error


LEDGER = Ledger()


class Shelf:
    def __init__(self, *, cents: int = 50) -> None:
        self._cents = cents

    async def __call__(self, *, order: str, quantity: int) -> Reserved:
        LEDGER.note("reserve", order, quantity)
        return {"cents": self._cents * quantity, "parcels": [f"{order}-{n}" for n in range(quantity)]}


class Till:
    def __init__(self, *, name: str = "till") -> None:
        self._name = name

    async def __call__(self, *, order: str, cents: int) -> Charged:
        LEDGER.note("charge", order, cents, self._name)
        return {"id": f"{self._name}-{order}"}


class Printer:
    async def __call__(self, *, parcel: str) -> str:
        LEDGER.note("label", parcel)
        return f"label {parcel}"
