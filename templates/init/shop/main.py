"""Takes two orders: `python main.py`."""

from __future__ import annotations

import asyncio

from oneiric import Runtime

from generated.wiring import Wiring


async def main() -> None:
    async with Runtime(Wiring) as runtime:
        orders = runtime.wiring.services.orders.live
        for customer, cents in (("ada", 1200), ("grace", 3400)):
            order = await orders.place(customer, cents)
            print(f"order {order} of {customer} is paid: {await orders.payment(order)}")


asyncio.run(main())
