"""What the shop's keys promise to those who use them."""

from __future__ import annotations

from typing import Protocol


class PaymentRefused(Exception):
    """The customer cannot pay this."""


class Payments(Protocol):
    """Takes money for orders."""

    async def charge(self, customer: str, cents: int, *, order: str) -> str:
        """Charge a customer for an order; the payment's reference. Raises PaymentRefused."""
        ...


class Orders(Protocol):
    """Takes orders and remembers them."""

    async def place(self, customer: str, cents: int) -> str:
        """Have an order paid and keep it; the order's number. Raises PaymentRefused."""
        ...

    async def payment(self, order: str) -> str | None:
        """The reference of an order's payment; None for an order nobody placed."""
        ...
