"""What the settings choose, as it runs."""

from __future__ import annotations

import asyncio

from oneiric import Runtime

from generated.wiring import Wiring


def test_the_cache_keeps_what_it_is_given() -> None:
    async def story() -> bytes | None:
        async with Runtime(Wiring) as runtime:
            cache = runtime.wiring.adapters.cache.live
            await cache.set("greeting", b"hello")
            return await cache.get("greeting")

    assert asyncio.run(story()) == b"hello"
