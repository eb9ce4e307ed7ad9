"""Ways to take money."""

from __future__ import annotations

from oneiric import Secret, component

from shop.ports import PaymentRefused


@component("service", "payments", provider="sandbox", port="shop.ports:Payments")
class Sandbox:
    """Takes no money; refuses what is above a limit, so that refusals can be tried."""

    def __init__(self, *, limit: int = 100_000) -> None:
        self._limit = limit

    async def charge(self, order: int, cents: int) -> str:
        if cents > self._limit:
            raise PaymentRefused(f"{cents} is above the sandbox's limit of {self._limit}")
        return f"sandbox-{order}"


@component("service", "payments", provider="card", capabilities=("refund",), port="shop.ports:Payments")
class Card:
    """Charges cards, as a merchant known by a key."""

    def __init__(self, *, api_key: Secret, merchant: str) -> None:
        self._api_key, self._merchant = api_key, merchant

    async def charge(self, order: int, cents: int) -> str:
        if not self._api_key.reveal():
            raise PaymentRefused("the merchant's key is empty")
        return f"card-{self._merchant}-{order}"


@component("service", "payments", provider="invoice", port="shop.ports:Payments")
class Invoice:
    """Asks for the money within some days."""

    def __init__(self, *, days: int = 30) -> None:
        self._days = days

    async def charge(self, order: int, cents: int) -> str:
        return f"invoice-{order}-due-in-{self._days}-days"
