"""What the parts of the shop promise each other. Money is in cents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Payments(Protocol):
    async def charge(self, order: int, cents: int) -> str:
        """Takes the money for an order; the payment's reference. Raises `PaymentRefused`."""
        ...


class PaymentRefused(Exception):
    """The payment was not taken."""


class Check(Protocol):
    async def check(self, customer: str, articles: Mapping[str, int]) -> None:
        """Raises `OrderRefused` for an order that is not taken."""
        ...


class OrderRefused(Exception):
    """The order was not taken."""


class Pricing(Protocol):
    async def price(self, article: str) -> int:
        """The price of one piece of an article. Raises KeyError for an article that is not sold."""
        ...


class Tax(Protocol):
    async def included(self, cents: int) -> int:
        """The tax contained in a price."""
        ...


class Shipping(Protocol):
    async def quote(self, pieces: int) -> int:
        """What sending so many pieces costs."""
        ...


class Receipts(Protocol):
    async def write(self, order: int, text: str) -> str:
        """Keeps a receipt; the name it is kept under."""
        ...


class Notifier(Protocol):
    async def notify(self, customer: str, text: str) -> None: ...


class Warehouse(Protocol):
    async def record(self, article: str, pieces: int) -> None: ...

    async def sold(self) -> Mapping[str, int]:
        """Pieces sold by article."""
        ...


class Customers(Protocol):
    async def who(self, said: str) -> str:
        """The customer, by what an order that came as a message says of it. Raises `OrderRefused`."""
        ...


class Orders(Protocol):
    async def place(self, customer: str, articles: Mapping[str, int]) -> int:
        """Takes an order of so many pieces of each article; its number.

        Raises `OrderRefused`, KeyError for an article that is not sold, `PaymentRefused` when it is not paid: then
        nothing is kept.
        """
        ...

    async def paid(self, order: int) -> str | None:
        """The reference of the order's payment; None when there is no such order."""
        ...
