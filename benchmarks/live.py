"""Calls through `live` and `lease()` beside the same calls on the instance."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

from oneiric import Runtime

from benchmarks.command import main
from benchmarks.measure import async_loop
from benchmarks.projects import compiled, wiring_of
from benchmarks.table import Row, Table

TARGET = 2.5 if sys.version_info < (3, 12) else 3.0


def tables(short: bool) -> Iterator[Table]:
    with compiled(90) as folder:
        rows = asyncio.run(_rows(Runtime(wiring_of(folder)), short))
    yield Table("Calls through `live`", "the same call on the bare instance", rows)


async def _rows(runtime: Runtime[Any], short: bool) -> list[Row]:
    rounds, times = (15, 50_000) if short else (41, 200_000)
    async with runtime:
        live = await runtime.use("adapter", "store-7")
        slot = runtime.wiring.adapters.store_7
        bare = slot.current
        awaited = "await store.get('a')"
        plain = async_loop(awaited, store=bare)
        through_live = async_loop(awaited, store=live)
        written = async_loop("await store.put('a', b'1', ttl=2.0)", store=bare)
        written_live = async_loop("await store.put('a', b'1', ttl=2.0)", store=live)
        leased = async_loop("async with slot.lease() as store: await store.get('a')", slot=slot)
        taken: list[list[float]] = [[] for _ in range(5)]
        for _ in range(rounds):
            for samples, run in zip(taken, (plain, through_live, written, written_live, leased), strict=True):
                samples.append(await run(times))
    floor, get, put_floor, put, lease = taken
    return [
        Row("an awaited no-op, one argument", "ns", get, floor, "ratio", TARGET),
        Row("an awaited no-op, three arguments", "ns", put, put_floor, "ratio", TARGET),
        Row("the first within `async with slot.lease()`", "ns", lease, floor, "ratio"),
    ]


if __name__ == "__main__":
    main("live", tables)
