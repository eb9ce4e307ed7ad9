"""Runs the shop of the demo and prints what happens; the last line is figures as JSON, times in seconds."""

from __future__ import annotations

import asyncio
import json
from time import perf_counter

ORDERS = 500
READS = 20_000


async def run() -> dict[str, float]:
    begin = perf_counter()
    from oneiric import Runtime

    from generated.production.wiring import Wiring

    runtime = Runtime(Wiring)
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
    closed = perf_counter()
    print("closed: dependents first, then what they needed")
    return {
        "start": started - begin,
        "first": first - started,
        "orders": ORDERS / (placed - batch),
        "reads": READS / (read - placed),
        "close": closed - read,
    }


print(json.dumps(asyncio.run(run())))
