"""Places an order as an event: `python main.py`; `oneiric serve` carries on what is left."""

from __future__ import annotations

import asyncio

from oneiric import Runtime

from generated.wiring import Wiring
from shop.receipts import OrderPlaced


async def main() -> None:
    async with Runtime(Wiring) as runtime:
        number = await runtime.wiring.services.orders.live.place("ada", 1200)
        order: OrderPlaced = {"number": number, "customer": "ada", "cents": 1200}
        emitted = await runtime.wiring.topics.order_placed.emit(order, id=number)
        (receipt,) = emitted.handlers
        engine = runtime.wiring.adapters.engine.live
        print(f"order {number}: {await engine.result(str(receipt.run))}")


asyncio.run(main())
