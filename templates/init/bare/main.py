"""Runs it: `python main.py`."""

from __future__ import annotations

import asyncio

from oneiric import Runtime

from generated.wiring import Wiring


async def main() -> None:
    async with Runtime(Wiring) as runtime:
        await runtime.wiring.adapters.cache.live.set("greeting", b"hello")
        print(await runtime.wiring.adapters.cache.live.get("greeting"))


asyncio.run(main())
