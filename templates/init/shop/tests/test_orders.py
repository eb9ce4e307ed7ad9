"""Orders, with the payments of the settings and with some of a test."""

from __future__ import annotations

import asyncio

import pytest
from oneiric import Runtime

from generated.wiring import Wiring
from shop.ports import PaymentRefused


class Refused:
    """Payments of a customer without money."""

    async def charge(self, customer: str, cents: int, *, order: str) -> str:
        raise PaymentRefused(f"{customer} has no {cents} cents")


async def placed(runtime: Runtime[Wiring], cents: int) -> str | None:
    """The payment of an order."""
    async with runtime:
        orders = runtime.wiring.services.orders.live
        return await orders.payment(await orders.place("ada", cents))


def test_an_order_is_paid_from_the_balance() -> None:
    payment = asyncio.run(placed(Runtime(Wiring), 1200))
    assert payment is not None
    assert payment.startswith("balance/")


@pytest.mark.parametrize("runtime", [{}, {"service:payments": Refused()}], ids=["too much", "no money"])
def test_an_order_that_is_not_paid_is_not_taken(runtime: dict[str, object]) -> None:
    with pytest.raises(PaymentRefused):
        asyncio.run(placed(Runtime(Wiring, replace=runtime), 10_000_000))
