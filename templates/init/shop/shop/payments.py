"""Two providers of one port; settings choose between them."""

from __future__ import annotations

import hashlib
import hmac

from oneiric import Secret, component
from oneiric.adapters.database import Database, TransactionConflict
from oneiric.adapters.storage import Storage

from shop.ports import PaymentRefused


@component(
    "service",
    "payments",
    provider="prepaid",
    needs={"database": "adapter:database"},
    port="shop.ports:Payments",
)
class PrepaidPayments:
    """Takes the money from a balance that every customer opens with."""

    def __init__(self, *, database: Database, opening_cents: int = 10_000) -> None:
        self._database = database
        self._opening_cents = opening_cents

    async def start(self) -> None:
        await self._database.execute("CREATE TABLE IF NOT EXISTS balances (customer TEXT PRIMARY KEY, cents INTEGER)")

    async def charge(self, customer: str, cents: int, *, order: str) -> str:
        while True:
            try:
                paid = await self._pay(customer, cents)
            except TransactionConflict:  # another process pays from the same balance: run it again
                continue
            if not paid:
                raise PaymentRefused(f"the balance of {customer} is too low")
            return f"balance/{order}"

    async def _pay(self, customer: str, cents: int) -> bool:
        async with self._database.transaction() as transaction:
            await transaction.execute(
                "INSERT INTO balances VALUES (?, ?) ON CONFLICT DO NOTHING", (customer, self._opening_cents)
            )
            changed = await transaction.execute(
                "UPDATE balances SET cents = cents - ? WHERE customer = ? AND cents >= ?",
                (cents, customer, cents),
            )
        return changed == 1


@component(
    "service",
    "payments",
    provider="invoice",
    stack_level=5,
    needs={"storage": "adapter:storage"},
    port="shop.ports:Payments",
)
class InvoicePayments:
    """Writes a signed invoice."""

    def __init__(self, *, storage: Storage, signing_key: Secret) -> None:
        self._storage = storage
        self._signing_key = signing_key

    async def charge(self, customer: str, cents: int, *, order: str) -> str:
        text = f"{customer} owes {cents / 100:.2f} for order {order}\n".encode()
        signature = hmac.new(self._signing_key.reveal().encode(), text, hashlib.sha256).hexdigest()
        name = f"invoices/{order}"
        await self._storage.put(name, text, content_type="text/plain", metadata={"signature": signature})
        return name
