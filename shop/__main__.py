"""Takes a few orders, for the base and for each tenant: `python -m shop`."""

from __future__ import annotations

import asyncio

from oneiric import Runtime

from generated.wiring import Wiring


async def main() -> None:
    async with Runtime(Wiring) as runtime:
        for name, wiring in (("the shop", runtime.wiring), *((t, runtime.tenant(t)) for t in ("acme", "globex"))):
            orders = wiring.services.orders.live
            number = await orders.place("ada", {"mug": 2, "sticker": 5})
            print(f"{name}: order {number} is paid by {await orders.paid(number)}")
        print("sold so far:", dict(await runtime.wiring.services.warehouse.live.sold()))


asyncio.run(main())
