"""How soon many processes have what one of them committed: `python -m benchmarks.followers [--short]`."""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import oneiric
from oneiric import Runtime
from oneiric.reload.follow import LOOK
from oneiric.reload.outcome import Event

from benchmarks.command import main
from benchmarks.swapping import write_wiring
from benchmarks.table import Row, Table

ROOT = Path(__file__).parents[1]
KEYS = 10
SECOND = 1000.0
DEADLINE = 120.0
"""Seconds for which anything is waited for."""
_FLOOR = f"the interval at which followers look, {LOOK * SECOND:g} ms, and one reload within the owner"


class Worker:
    """A process that follows."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.calls = self.failed = 0
        self.ready = asyncio.Event()
        self.took: dict[str, float] = {}
        self.news = asyncio.Condition()
        self._process = process
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            what, *facts = line.decode().split()
            async with self.news:
                if what == "took":
                    self.took[facts[0]] = float(facts[1])
                elif what == "calls":
                    self.calls, self.failed = map(int, facts)
                else:
                    self.ready.set()
                self.news.notify_all()

    async def has(self, generation: str, since: float) -> float:
        """When it had a generation that was committed at a time, in monotonic seconds."""
        async with self.news:
            await self.news.wait_for(lambda: self.took.get(generation, 0.0) > since)
        return self.took[generation]

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(DEADLINE):
                await self._reader
                await self._process.wait()
        finally:
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()


class Fleet:
    """An owner, those that follow it, and two wirings to go to and fro between."""

    def __init__(self, owner: Runtime[Any], sides: Sequence[Path], workers: Sequence[Worker]) -> None:
        self.workers = workers
        self._owner = owner
        self._sides = sides
        self._count = 0
        self._committed = 0.0
        owner.on("post-swap", self._commit)

    def _commit(self, _: Event) -> None:
        self._committed = time.monotonic()

    async def swap(self) -> tuple[float, float]:
        """Milliseconds from the owner's commit until the last has it too, and those of the reload in the owner."""
        self._count += 1
        begin = time.monotonic()
        outcome = await self._owner.reload(self._sides[self._count % 2])
        assert outcome.accepted, outcome.reason
        reload = time.monotonic() - begin
        async with asyncio.timeout(DEADLINE):
            times = await asyncio.gather(*(each.has(outcome.generation, begin) for each in self.workers))
        return (max(times) - self._committed) * SECOND, reload * SECOND


@asynccontextmanager
async def fleet(workers: int, users: int) -> AsyncIterator[Fleet]:
    """All of it, in a folder that goes with it."""
    with tempfile.TemporaryDirectory() as name:
        sides = [write_wiring(Path(name, side), KEYS, 0, side) for side in ("one", "two")]
        state = Path(name, "state")
        async with Runtime(oneiric.load(sides[0]), state=state) as owner:
            await owner.use("adapter", "k0")
            started = [Worker(await _started(sides[0], state, users)) for _ in range(workers)]
            try:
                async with asyncio.timeout(DEADLINE):
                    await asyncio.gather(*(each.ready.wait() for each in started))
                yield Fleet(owner, sides, started)
            finally:
                await asyncio.gather(*(each.end() for each in started))


async def _started(wiring: Path, state: Path, users: int) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "benchmarks.following", str(wiring), str(state), str(users)]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)


def converging(workers: int, swaps: int) -> Table:
    """Nobody calls; the swaps come at no particular moment of the followers' looks."""
    samples = asyncio.run(_converging(workers, swaps))
    taken, reloads = [sorted(each) for each in zip(*samples, strict=True)]
    floor = LOOK * SECOND + median(reloads)
    rows = [
        Row(f"{workers} followers, {swaps} swaps: median", "ms", [median(taken)], [floor]),
        Row(f"{workers} followers, {swaps} swaps: p99", "ms", [_p99(taken)], [LOOK * SECOND + _p99(reloads)]),
    ]
    return Table(f"From a commit until {workers} followers have it", _FLOOR, rows)


async def _converging(workers: int, swaps: int) -> list[tuple[float, float]]:
    moment = random.Random(workers)
    samples: list[tuple[float, float]] = []
    async with fleet(workers, 0) as there:
        for _ in range(swaps):
            await asyncio.sleep(moment.uniform(0, LOOK))
            samples.append(await there.swap())
    return samples


def _p99(samples: Sequence[float]) -> float:
    return quantiles(samples, n=100, method="inclusive")[98]


def calling(workers: int, users: int, calls: int) -> Table:
    """Users of every follower call as fast as they can while the owner swaps to and fro."""
    made, failed, swaps = asyncio.run(_calling(workers, users, calls))
    rows = [
        Row(f"{made:,} calls, {swaps} swaps: failed calls", "", [failed], target=0),
        Row(f"{made:,} calls, {swaps} swaps: taken by every follower", "", [swaps]),
    ]
    return Table(f"{workers} followers with {users} users each, under swaps", "none", rows)


async def _calling(workers: int, users: int, calls: int) -> tuple[int, int, int]:
    swaps = 0
    async with fleet(workers, users) as there:
        while sum(each.calls for each in there.workers) < calls:
            await there.swap()
            swaps += 1
    return sum(each.calls for each in there.workers), sum(each.failed for each in there.workers), swaps


def tables(short: bool) -> Iterator[Table]:
    yield converging(4, 20 if short else 300)
    yield converging(10 if short else 50, 5 if short else 100)
    yield calling(4, 10, 20_000 if short else 1_000_000)


if __name__ == "__main__":
    main("followers", tables)
