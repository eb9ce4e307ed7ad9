"""Swaps under load, how long they take, how long the loop stands still: `python -m benchmarks.swap [--short]`.

Swaps under load need a Redis on 127.0.0.1:6379, or a `redis-server` to start there; without, they are skipped.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any, TypeVar

import oneiric
from oneiric import Runtime, tracing
from oneiric.reload.commit import Switch
from oneiric.runtime import host_of

from benchmarks.command import main
from benchmarks.swapping import InMemory, OverRedis, Stalls, redis, resident, wiring, write_wiring
from benchmarks.table import Row, Table

T = TypeVar("T")
ROOT = Path(__file__).parents[1]
USERS = 50
SECOND = 1000.0


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(work())


def under_load(short: bool) -> Table:
    """Fifty users, each calling as fast as it can, while a component is swapped to and fro."""
    with redis() as there:
        return _under_load(short) if there else Table("Swaps under load: skipped, there is no Redis", "none", [])


def _under_load(short: bool) -> Table:
    swaps = 40 if short else 200
    rows: list[Row] = []
    for gap in (0.0, 0.002, 0.01):
        calls, failed, accepted = run(lambda gap=gap: _load(gap, swaps=swaps))
        rows.append(Row(f"{accepted} swaps, gap {gap * SECOND:g} ms: failed calls", "", [failed], target=0))
        rows.append(Row(f"{accepted} swaps, gap {gap * SECOND:g} ms: calls", "", [calls]))
    calls, failed, accepted = run(lambda: _load(0.01, calls=20_000 if short else 1_000_000))
    rows.append(Row(f"{calls} calls, {accepted} swaps: failed calls", "", [failed], target=0))
    return Table(f"{USERS} users, Redis on one side, memory on the other", "none", rows)


async def _load(gap: float, *, swaps: int | None = None, calls: int | None = None) -> tuple[int, int, int]:
    sides = [wiring("memory", InMemory), wiring("redis", OverRedis)]
    made = failed = accepted = 0
    over = False

    async def user(runtime: Runtime[Any], number: int) -> None:
        nonlocal made, failed
        cache = runtime.wiring.adapters.cache.live
        while not over:
            try:
                await cache.set(f"k{number}", b"v")
                await cache.get(f"k{number}")
            except Exception:
                failed += 1
            made += 2

    async with Runtime(sides[0]) as runtime:
        users = [asyncio.ensure_future(user(runtime, number)) for number in range(USERS)]
        await asyncio.sleep(0.05)
        while (accepted < swaps) if swaps is not None else (made < (calls or 0)):
            outcome = await runtime.reload(sides[(accepted + 1) % 2])
            assert outcome.accepted, outcome.reason
            assert not outcome.reports, outcome.reports
            accepted += 1
            await asyncio.sleep(gap)
        over = True
        await asyncio.gather(*users)
    return made, failed, accepted


def in_memory(short: bool) -> Table:
    """A swap between two wirings that are there already, nobody calling: from the request to the last close."""
    samples = sorted(run(lambda: _swaps(60 if short else 1000)))
    cut = quantiles(samples, n=100, method="inclusive")
    rows = [Row("p50", "ms", [cut[49]]), Row("p99", "ms", [cut[98]])]
    return Table("Swap between two compiled wirings", "none", rows)


async def _swaps(count: int) -> list[float]:
    sides = [wiring("one", InMemory), wiring("two", InMemory)]
    samples: list[float] = []
    async with Runtime(sides[0]) as runtime:
        await runtime.use("adapter", "cache")
        for number in range(count):
            begin = time.perf_counter()
            await runtime.reload(sides[(number + 1) % 2])
            samples.append((time.perf_counter() - begin) * SECOND)
    return samples


def commit_pause(short: bool) -> Table:
    """The step of the loop in which every slot goes over, all of them active and replaced; and for how long the loop
    does not turn at most in all of that reload, which starts and closes as many instances."""
    rows: list[Row] = []
    for keys in (1, 100, 1000):
        samples = run(lambda keys=keys: _pauses(keys, 3 if short else 9))
        switching, preparing, stalled = zip(*samples, strict=True)
        rows.append(Row(f"{keys} slots: the step that switches", "ms", switching, target=1))
        rows.append(Row(f"{keys} slots: the step before, that prepares it", "ms", preparing, target=1))
        rows.append(Row(f"{keys} slots: longest loop stall of the reload", "ms", stalled))
    return Table("Commit", "none", rows)


async def _pauses(keys: int, rounds: int) -> list[tuple[float, float, float]]:
    sides = [wiring("one", InMemory, keys), wiring("two", InMemory, keys)]
    pauses: list[tuple[float, float]] = []
    stalled: list[float] = []
    make, fits, switch = Switch.__init__, Switch.fits, Switch.run
    clock = time.perf_counter

    def timed_make(self: Any, *arguments: Any) -> None:
        begin = clock()
        make(self, *arguments)
        self.preparing = clock() - begin

    def timed_fits(self: Any) -> bool:
        self.begin = clock()
        return fits(self)

    def timed_switch(self: Any) -> None:
        switch(self)
        pauses.append(((clock() - self.begin) * SECOND, self.preparing * SECOND))

    Switch.__init__, Switch.fits, Switch.run = timed_make, timed_fits, timed_switch  # type: ignore[method-assign]
    try:
        async with Runtime(sides[0]) as runtime:
            for slot in host_of(runtime).slots():
                async with slot.lease():
                    pass
            for number in range(rounds):
                async with Stalls() as stalls:
                    outcome = await runtime.reload(sides[(number + 1) % 2])
                assert len(outcome.plan.replace) == keys
                stalled.append(stalls.longest)
    finally:
        Switch.__init__, Switch.fits, Switch.run = make, fits, switch  # type: ignore[method-assign]
    return [(*pause, stall) for pause, stall in zip(pauses, stalled, strict=True)]


def recompiled(short: bool) -> Table:
    """A swap of the demo project from the request to the last close, with the compiler's process."""
    with tempfile.TemporaryDirectory() as name:
        for part in ("settings", "generated", "shop"):
            shutil.copytree(ROOT / part, Path(name, part), ignore=shutil.ignore_patterns("__pycache__"))
        sys.path.insert(0, name)
        try:
            total, compiler, drain = run(lambda: _recompiles(Path(name), 3 if short else 11))
        finally:
            sys.path.remove(name)
    rest = [whole - one - other for whole, one, other in zip(total, compiler, drain, strict=True)]
    rows = [
        Row("swap", "ms", total),
        Row("of it: the compiler's process", "ms", compiler),
        Row("of it: adopt, load, start, commit, record", "ms", rest),
        Row("of it: drain", "ms", drain),
    ]
    return Table("Swap with recompile, demo project", "none", rows)


async def _recompiles(project: Path, rounds: int) -> tuple[list[float], list[float], list[float]]:
    seconds: dict[str, list[float]] = {"oneiric.recompile": [], "oneiric.drain": []}

    def recorder(span: tracing.Traced) -> tracing.End:
        return lambda _: seconds[span.name].append(span.seconds * SECOND) if span.name in seconds else None

    total: list[float] = []
    loaded = oneiric.load(project / "generated" / "wiring.py")
    async with Runtime(loaded, state=project / ".oneiric" / "shop", project=project, environ={}) as runtime:
        await runtime.use("adapter", "analytics")
        tracing.record(recorder)
        try:
            for number in range(rounds):
                begin = time.perf_counter()
                outcome = await runtime.swap("adapter:analytics", ("columnar", "embedded")[number % 2])
                total.append((time.perf_counter() - begin) * SECOND)
                assert outcome.accepted, outcome.reason
        finally:
            tracing.forget(recorder)
    return total, seconds["oneiric.recompile"], seconds["oneiric.drain"]


def big(short: bool) -> Table:
    """One key of many changed; a tenth of the keys active, a hundred tenants open."""
    keys = tenants = 1000 if short else 10_000
    with tempfile.TemporaryDirectory() as name:
        paths = [write_wiring(Path(name, side), keys, tenants, side) for side in ("one", "two")]
        samples = run(lambda: _big(paths, keys, 3 if short else 7))
    rows = [
        Row("reload", "ms", [each[0] for each in samples]),
        Row("longest loop stall", "ms", [each[1] for each in samples]),
        Row("memory after, above before", "MiB", [each[2] for each in samples]),
    ]
    return Table(f"Reload of {keys} keys and {tenants} tenants, one key changed", "none", rows)


async def _big(paths: list[Path], keys: int, rounds: int) -> list[tuple[float, float, float]]:
    samples: list[tuple[float, float, float]] = []
    async with Runtime(oneiric.load(paths[0])) as runtime:
        for number in range(0, keys, 10):
            await runtime.use("adapter", f"k{number}")
        for number in range(100):
            await runtime.use("adapter", f"k{1 + number}", tenant=f"t{number:06}")
        before = resident()
        for number in range(rounds):
            async with Stalls() as stalls:
                begin = time.perf_counter()
                outcome = await runtime.reload(paths[(number + 1) % 2])
                seconds = time.perf_counter() - begin
            assert outcome.accepted, outcome.reason
            assert outcome.plan.replace == ((None, "adapter:k0"),)
            samples.append((seconds * SECOND, stalls.longest, resident() - before))
    return samples


def tables(short: bool) -> Iterator[Table]:
    for table in (in_memory, commit_pause, recompiled, big, under_load):
        yield table(short)


if __name__ == "__main__":
    main("swap", tables)
