"""Takes a few orders: for the base and for each tenant at the till, and one as an event: `python -m shop`."""

from __future__ import annotations

import asyncio
from random import SystemRandom

from oneiric import Runtime

from generated.wiring import Wiring
from shop.fulfilment import OrderPlaced
from shop.orders import NUMBERS


async def main() -> None:
    async with Runtime(Wiring) as runtime:
        for name, wiring in (("the shop", runtime.wiring), *((t, runtime.tenant(t)) for t in ("acme", "globex"))):
            orders = wiring.services.orders.live
            number = await orders.place("ada", {"mug": 2, "sticker": 5})
            print(f"{name}: order {number} is paid by {await orders.paid(number)}")
        print("sold so far:", dict(await runtime.wiring.services.warehouse.live.sold()))
        await fulfilled(runtime)


async def fulfilled(runtime: Runtime[Wiring]) -> None:
    """Emits an order and waits for its parcels; then makes the report of the night."""
    number = SystemRandom().randrange(NUMBERS)
    order: OrderPlaced = {"number": number, "customer": "ada", "articles": {"poster": 1, "sticker": 6}}
    emitted = await runtime.wiring.topics.order_placed.emit(order, id=f"order-{number}")
    print(f"order {number} is an event:", ", ".join(f"{each.handler} is {each.state}" for each in emitted.handlers))
    run = await runtime.wiring.workflows.fulfil.start(order, id=emitted.handlers[0].run)  # the one that the event began
    print(f"order {number}: {await run.result()}")
    print("the report of the night:", dict(await runtime.wiring.tasks.report.live(until="now")))


asyncio.run(main())
