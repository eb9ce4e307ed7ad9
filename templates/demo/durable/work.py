"""A process that fulfils orders, `work.py N`: emits N of them, and ends when all that there are have ended."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

from oneiric import Runtime

from generated.wiring import Wiring
from shop.fulfilment import note

KEY = "workflow:fulfil"


async def main(orders: int) -> None:
    async with Runtime(Wiring) as runtime:
        emit = runtime.wiring.topics.order_placed.emit
        await asyncio.gather(*(emit({"number": number}, id=str(number)) for number in range(1, orders + 1)))
        note("emitted")
        engine = runtime.wiring.adapters.engine.live
        while any(run.state in ("queued", "running") for run in await engine.runs(key=KEY, limit=1_000)):
            await asyncio.sleep(0.05)
        print(json.dumps(Counter(run.state for run in await engine.runs(key=KEY, limit=1_000))))


asyncio.run(main(int(sys.argv[1])))
