"""Calls through each built-in layer beside the same calls through `live`: what a layer costs that has nothing to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from oneiric import Runtime
from oneiric.layers.breaker import breaker
from oneiric.layers.cached import cached
from oneiric.layers.fallback import fallback
from oneiric.layers.limit import Rate, limit
from oneiric.layers.retry import retry
from oneiric.layers.timeout import timeout
from oneiric.layers.traced import traced

from benchmarks.command import main
from benchmarks.measure import async_loop
from benchmarks.projects import compiled, wiring_of
from benchmarks.table import Row, Table

NAMED = ["oneiric.errors:Unavailable"]
MINUTE = timedelta(minutes=1)
LAYERS: dict[str, Any] = {
    "timeout": partial(timeout, timeout=MINUTE),
    "retry": partial(retry, errors=NAMED),
    "breaker": partial(breaker, errors=NAMED),
    "limit, at once": partial(limit, at_once=10),
    "limit, at once and by a rate": partial(limit, at_once=10, rate=Rate(10**6, timedelta(milliseconds=1))),
    "cached, a result that is kept": partial(cached, methods=["get"], ttl=timedelta(days=1)),
    "cached, a method that is not named": partial(cached, methods=["put"], ttl=MINUTE),
    "traced, without an SDK of OpenTelemetry": traced,
    "fallback": lambda inner: fallback(inner, to=inner, errors=NAMED),
}
CALL = "await store.get('a')"


def tables(short: bool) -> Iterator[Table]:
    with compiled(90) as folder:
        measured = asyncio.run(_samples(Runtime(wiring_of(folder)), short))
    floor = measured.pop("")
    title = "A call through one built-in layer"
    nothing = "the same call through `live`, an awaited no-op"
    rows = [Row(name, "ns", samples, floor, "above") for name, samples in measured.items()]
    yield Table(f"{title}: what it adds", nothing, rows)
    yield Table(title, nothing, [Row(name, "ns", samples, floor, "ratio") for name, samples in measured.items()])


async def _samples(runtime: Runtime[Any], short: bool) -> dict[str, list[float]]:
    """Nanoseconds of a call by the layer that is around it; of none by the empty name."""
    rounds, times = (15, 10_000) if short else (41, 50_000)
    async with runtime:
        live = await runtime.use("adapter", "store-7")
        loops = {"": async_loop(CALL, store=live)}
        loops |= {name: async_loop(CALL, store=layer(live)) for name, layer in LAYERS.items()}
        samples: dict[str, list[float]] = {name: [] for name in loops}
        for _ in range(rounds):
            for name, run in loops.items():
                samples[name].append(await run(times))
    return samples


if __name__ == "__main__":
    main("layers", tables)
