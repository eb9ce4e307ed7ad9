"""A component replaced while fifty users call it: failed calls, and how long the calls around the swap took."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from math import nan
from random import Random
from statistics import median
from time import perf_counter
from types import ModuleType
from typing import Any

from benchmarks.field.cache import Cache
from benchmarks.field.known import versions
from benchmarks.field.results import Table
from benchmarks.field.rounds import entered, shuffled

USERS = 50
GAP = 0.02  # seconds between two swaps
COLUMNS = [
    ("failed, asked each time", "of 1,000"),
    ("failed, asked once", "of 1,000"),
    ("calls around a swap", "ms"),
    ("the longest", "ms"),
    ("other calls", "ms"),
    ("swap", "ms"),
]
METHOD = f"""\
{USERS} users call a cache whose calls take a millisecond, while it is replaced {{swaps}} times, {GAP * 1e3:g} ms apart.
What was replaced is closed, as somebody has to: at once where a contender does not know who still uses it. A user asks
the container before each call, or once at the beginning, as one whom it is injected into; this project's users keep
`live`. Calls around a swap are those that were under way between its beginning and its end and went well. {{rounds}}
rounds."""
NOTES = """\
dishka, rodi and lagom take no other definition once their container is built or has one; stevedore loads once;
hydra and dynaconf keep no instances."""


@dataclass(slots=True)
class Seen:
    """What the users of one run met: beginning and end of each call that went well, and how many failed."""

    calls: list[tuple[float, float]] = field(default_factory=list)
    failed: int = 0
    swaps: list[tuple[float, float]] = field(default_factory=list)

    @property
    def failures(self) -> float:
        """Of 1,000 calls."""
        return self.failed * 1000 / (self.failed + len(self.calls))

    def latencies(self) -> tuple[list[float], list[float]]:
        """Milliseconds of the calls around a swap, and of the others."""
        around: list[float] = []
        others: list[float] = []
        for begin, end in self.calls:
            met = any(begin < after and before < end for before, after in self.swaps)
            (around if met else others).append((end - begin) * 1e3)
        return around, others


def tables(contenders: dict[str, ModuleType], chance: Random, *, short: bool) -> Iterator[Table]:
    rounds, swaps = (2, 3) if short else (7, 20)
    taking = {name: module for name, module in contenders.items() if hasattr(module, "swap")}
    taken = shuffled(rounds, chance, {name: _sampler(module, swaps) for name, module in taking.items()})
    rows = {name: [*map(list, zip(*samples, strict=True))] for name, samples in taken.items()}
    method = METHOD.format(swaps=swaps, rounds=rounds)
    yield Table("swap", "A swap under users", method, COLUMNS, rows, versions(taking), NOTES)


def _sampler(module: ModuleType, swaps: int) -> Callable[[], list[float]]:
    def sample() -> list[float]:
        each, once = (asyncio.run(run(module.swap, swaps, again=again)) for again in (True, False))
        around, others = each.latencies()
        took = [(after - before) * 1e3 for before, after in each.swaps]
        met = [median(around), max(around)] if around else [nan, nan]
        return [each.failures, once.failures, *met, median(others), median(took)]

    return sample


async def run(swap: Callable[[Cache], Any], swaps: int, *, again: bool) -> Seen:
    """Replace the cache so many times under users that ask for it `again` before each call, or once."""
    seen = Seen()
    over = False

    async def user() -> None:
        held = ask()
        while not over:
            begin = perf_counter()
            try:
                await (ask() if again else held).get("a")
            except ConnectionError:
                seen.failed += 1
                await asyncio.sleep(0.001)
            else:
                seen.calls.append((begin, perf_counter()))

    async with AsyncExitStack() as stack:
        present = Cache()
        ask, replace = await entered(stack, swap(present))
        assert await ask().get("a") == b"a"
        users = [asyncio.ensure_future(user()) for _ in range(USERS)]
        for _ in range(swaps):
            await asyncio.sleep(GAP)
            previous, present = present, Cache()
            begin = perf_counter()
            done = replace(present)
            if inspect.isawaitable(done):
                await done
            await previous.aclose()
            seen.swaps.append((begin, perf_counter()))
        await asyncio.sleep(GAP)
        over = True
        await asyncio.gather(*users)
        assert await ask().get("a") == b"a"
        await present.aclose()
        assert await _closed(ask()), "what was put in place is not what answers"
    return seen


async def _closed(cache: Any) -> bool:
    try:
        await cache.get("a")
    except ConnectionError:
        return True
    return False
