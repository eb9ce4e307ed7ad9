"""`runtime.wiring.DOMAIN.KEY.current` beside a chain of plain attributes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from oneiric import Runtime
from oneiric.runtime import host_of

from benchmarks.command import main
from benchmarks.measure import by_turns, loop
from benchmarks.projects import compiled, wiring_of
from benchmarks.table import Row, Table

COMPONENTS = 1_500  # serve 1,000 keys


class Application:
    """Four plain objects, an attribute deep each: what an application without a runtime would write."""

    def __init__(self) -> None:
        self.wiring = Parts()


class Parts:
    def __init__(self) -> None:
        self.adapters = Adapters()


class Adapters:
    def __init__(self) -> None:
        self.store_7 = Place()


class Place:
    def __init__(self) -> None:
        self.current = object()


def tables(short: bool) -> Iterator[Table]:
    with compiled(90 if short else COMPONENTS) as folder:
        rows = asyncio.run(_rows(Runtime(wiring_of(folder)), short))
    yield Table("Access to a component", "attributes of plain objects, as deep", rows)


async def _rows(runtime: Runtime[Any], short: bool) -> list[Row]:
    rounds, times = (15, 100_000) if short else (41, 500_000)
    async with runtime:
        await runtime.use("adapter", "store-7")
        plain = loop("app.wiring.adapters.store_7.current", app=Application())
        access = loop("app.wiring.adapters.store_7.current", app=runtime)
        live = loop("app.wiring.adapters.store_7.live", app=runtime)
        floor, current, handle = by_turns(rounds, lambda: plain(times), lambda: access(times), lambda: live(times))
    keys = len(host_of(runtime).slots())
    return [
        Row(f"runtime.wiring.adapters.store_7.current, of {keys:,} keys", "ns", current, floor, "ratio", 1.5),
        Row(f"runtime.wiring.adapters.store_7.live, of {keys:,} keys", "ns", handle, floor, "ratio"),
    ]


if __name__ == "__main__":
    main("access", tables)
