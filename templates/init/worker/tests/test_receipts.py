"""An order becomes a receipt, and the report counts it."""

from __future__ import annotations

import asyncio

from oneiric import Runtime

from generated.wiring import Wiring


def test_an_order_that_is_placed_twice_has_one_receipt() -> None:
    async def story() -> int:
        async with Runtime(Wiring) as runtime:
            for _ in range(2):
                emitted = await runtime.wiring.topics.order_placed.emit(
                    {"number": "7", "customer": "ada", "cents": 1200}, id="7"
                )
                await runtime.wiring.adapters.engine.live.result(str(emitted.handlers[0].run))
            return await runtime.wiring.tasks.report.live(until="now")

    assert asyncio.run(story()) == 1
