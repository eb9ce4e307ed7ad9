"""Runs the shop of the demo and prints what happens; the last line is figures as JSON, times in seconds."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oneiric import Runtime

    from generated.production.wiring import Wiring

ORDERS = 500
READS = 20_000
CUSTOMERS = 50
SWAPS = ("prepaid", "invoice")


async def run() -> dict[str, float]:
    begin = perf_counter()
    from oneiric import Runtime

    from generated.production.wiring import Wiring

    runtime = Runtime(Wiring, state=".oneiric/demo")
    started = perf_counter()
    async with runtime:
        adapters, services = runtime.wiring.adapters, runtime.wiring.services
        orders = services.orders.live
        number = await orders.place("ada", 1200)
        first = perf_counter()
        print(f"order {number} is paid by {await orders.payment(number)}")
        rows = await adapters.database.live.fetch("SELECT customer, cents FROM orders")
        print(f"  database  {[dict(row) for row in rows]}")
        print(f"  cache     {await adapters.cache.live.get(f'order/{number}')!r}")
        invoice = await adapters.storage.live.get(f"invoices/{number}")
        print(f"  storage   {invoice.decode().strip()!r}")
        print(f"  secrets   {await adapters.secrets.live.get('INVOICE_KEY')!r} signed it")
        states = {slot.key: slot.state for slot in (adapters.cache, adapters.database, services.orders)}
        print(f"  slots     {states}")

        batch = perf_counter()
        await asyncio.gather(*(orders.place("grace", cents) for cents in range(1, ORDERS + 1)))
        placed = perf_counter()
        cache = adapters.cache.live
        for _ in range(READS):
            await cache.get("absent")
        read = perf_counter()
        swaps = await swap_under_load(runtime)
        swapped = perf_counter()
    closed = perf_counter()
    print("closed: dependents first, then what they needed")
    return {
        "start": started - begin,
        "first": first - started,
        "orders": ORDERS / (placed - batch),
        "reads": READS / (read - placed),
        "swap": sum(swaps) / len(swaps),
        "close": closed - swapped,
    }


async def swap_under_load(runtime: Runtime[Wiring]) -> list[float]:
    """Swaps the payments while customers order one after the other; seconds of each swap."""
    orders = runtime.wiring.services.orders.live
    paid: Counter[str] = Counter()
    failed: list[Exception] = []

    async def customer(name: str) -> None:
        while True:
            try:
                payment = await orders.payment(await orders.place(name, 1))
            except Exception as error:
                failed.append(error)
            else:
                paid["invoice" if payment.startswith("invoices/") else "prepaid"] += 1

    tasks = [asyncio.create_task(customer(f"customer {number}")) for number in range(CUSTOMERS)]
    took = []
    for provider in SWAPS:
        begin = perf_counter()
        outcome = await runtime.swap("service:payments", provider)
        took.append(perf_counter() - begin)
        if not outcome.accepted:
            raise SystemExit(f"the swap was rejected: {outcome.reason}")
        print(f"swapped to {provider:<8} generation {outcome.generation[:12]}")
        await asyncio.sleep(0.2)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    by = ", ".join(f"{count:,} by {provider}" for provider, count in sorted(paid.items()))
    print(f"{CUSTOMERS} customers meanwhile: {sum(paid.values()):,} orders ({by}), failed calls: {len(failed)}")
    for error in failed[:3]:
        print(f"  {type(error).__name__}: {error}")
    return took


print(json.dumps(asyncio.run(run())))
