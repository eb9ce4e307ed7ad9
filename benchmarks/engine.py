"""Engines: a run of four steps, beside the same steps on DBOS itself; ten idle queues; a process that is killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import dbos
import psycopg
from oneiric.adapters.engine.dbos import DbosEngine
from oneiric.adapters.engine.inline import InlineEngine
from oneiric.flows.model import Limits, Step, Submission
from oneiric.testing.contracts.engine import flow

from benchmarks.command import main
from benchmarks.table import Row, Table
from tests.backends.harness.kinds import POSTGRES
from tests.backends.harness.servers import private

FLOW = flow("a", "b", "c", "d")
AT_ONCE = 20


class Nothing:
    """Steps that do nothing."""

    def begins(self, run: str) -> None:
        pass

    async def call(self, step: Step) -> Any:
        return {"token": step.token}


async def _step(name: str) -> dict[str, str]:
    return {"token": name}


@dbos.DBOS.workflow(name="bare")
async def bare(payload: dict[str, Any]) -> dict[str, str]:
    """The four steps, written for DBOS."""
    result: dict[str, str] = {}
    for name in "abcd":
        result = await dbos.DBOS.run_step_async({"name": name}, _step, name)
    return result


def tables(short: bool) -> Iterator[Table]:
    rounds, times = (5, 10) if short else (15, 40)
    with places() as found:
        for what, place in found:
            rows, idle = asyncio.run(_against_bare(place, rounds, times))
            yield Table(
                f"A run of four steps, {what}", "the same steps on DBOS itself, same database and process", rows
            )
            yield Table(f"Ten idle queues, {what}", "", [idle])
            taken = [asyncio.run(_taken_over(place)) for _ in range(2 if short else 5)]
            yield Table(f"A process is killed, {what}", "", [Row("until another makes a step", "s", taken)])
    yield Table("A run of four steps, in memory", "", [asyncio.run(_inline(rounds, times * 10))])


@contextmanager
def places() -> Iterator[list[tuple[str, str]]]:
    """A file, and a database of a server where one is installed."""
    with tempfile.TemporaryDirectory() as folder, private(POSTGRES) as server:
        url = f"postgresql://postgres@{server.host}:{server.port}/postgres"
        while True:
            try:
                psycopg.connect(url).close()
                break
            except psycopg.OperationalError:
                time.sleep(0.05)
        yield [("SQLite", f"{folder}/engine.db"), ("PostgreSQL", url)]


def _engine(place: str, **settings: Any) -> DbosEngine:
    if place.startswith("postgresql:"):
        return DbosEngine(url=place, **settings)
    return DbosEngine(path=Path(place), **settings)


@asynccontextmanager
async def _working(engine: Any, queues: dict[str, Limits]) -> AsyncGenerator[Any, None]:
    if hasattr(engine, "start"):
        await engine.start()
    try:
        await engine.work(Nothing(), queues)
        yield engine
    finally:
        await engine.aclose()


async def _against_bare(place: str, rounds: int, times: int) -> tuple[list[Row], Row]:
    async with _working(_engine(place), {f"q{number}": Limits() for number in range(10)}) as engine:

        async def ours() -> None:
            name = uuid4().hex
            await engine.submit(Submission(name, FLOW, {"n": 1}))
            await engine.result(name)

        async def theirs() -> None:
            async def one() -> None:
                handle = await dbos.DBOS.start_workflow_async(bare, {"n": 1})
                await handle.get_result()

            await asyncio.wrap_future(engine._serving.soon(one()))

        floor, measured = await _by_turns(rounds, lambda: _in_turn(theirs, times), lambda: _in_turn(ours, times))
        many_floor, many = await _by_turns(rounds, lambda: _at_once(theirs, times), lambda: _at_once(ours, times))
        begin = time.process_time()
        await asyncio.sleep(5)
        idle = (time.process_time() - begin) / 5 * 100
    scale = 1e3 / times
    return [
        Row("one after the other", "ms", [x * scale for x in measured], [x * scale for x in floor], "ratio", 1.15),
        Row(f"{AT_ONCE} at once", "ms", [x * scale for x in many], [x * scale for x in many_floor], "ratio", 1.15),
    ], Row("of one core", "%", [idle])


async def _inline(rounds: int, times: int) -> Row:
    async with _working(InlineEngine(), {}) as engine:

        async def ours() -> None:
            name = uuid4().hex
            await engine.submit(Submission(name, FLOW, {"n": 1}))
            await engine.result(name)

        (taken,) = await _by_turns(rounds, lambda: _in_turn(ours, times))
    return Row("one after the other", "us", [each / times * 1e6 for each in taken])


async def _taken_over(place: str) -> float:
    """Seconds from the end of a process to the next step of its run."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [sys.executable, "-m", "tests.backends.engine_worker", place, str(log)]
        workers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]  # noqa: ASYNC220
        try:
            for worker in workers:
                assert worker.stdout is not None
                worker.stdout.readline()
            async with _only_submitting(_engine(place)) as engine:
                nodes = [f"n{number}" for number in range(300)]
                await engine.submit(Submission(uuid4().hex, flow(*nodes), {}, queue="q"))
                while len(pids := _pids(log)) < 3:
                    await asyncio.sleep(0.01)
                next(worker for worker in workers if worker.pid == pids[-1]).kill()
                begin = time.perf_counter()
                while _pids(log)[-1] == pids[-1]:
                    await asyncio.sleep(0.01)
                return time.perf_counter() - begin
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()


@asynccontextmanager
async def _only_submitting(engine: DbosEngine) -> AsyncGenerator[DbosEngine, None]:
    await engine.start()
    try:
        yield engine
    finally:
        await engine.aclose()


def _pids(log: Path) -> list[int]:
    return [int(line.split()[2]) for line in log.read_text().splitlines()] if log.exists() else []


async def _in_turn(action: Callable[[], Awaitable[None]], times: int) -> None:
    for _ in range(times):
        await action()


async def _at_once(action: Callable[[], Awaitable[None]], times: int) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with turns:
            await action()

    await asyncio.gather(*(one() for _ in range(times)))


async def _by_turns(rounds: int, *actions: Callable[[], Awaitable[None]]) -> list[list[float]]:
    """Seconds of each action, a sample a round; the first round is not counted."""
    taken: list[list[float]] = [[] for _ in actions]
    for number in range(rounds + 1):
        for samples, action in zip(taken, actions, strict=True):
            begin = time.perf_counter()
            await action()
            if number:
                samples.append(time.perf_counter() - begin)
    return taken


if __name__ == "__main__":
    main("engine", tables)
