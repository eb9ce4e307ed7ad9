"""Processes that carry runs on and are killed, frozen, or cannot reach their database.

`ONEIRIC_KILLS` is how often on each database, 500 in the long form.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from oneiric.adapters.engine.dbos import DbosEngine
from oneiric.flows.model import Flow, Node, Submission
from oneiric.testing.contracts.engine import flow, until

from tests.backends.engine_worker import engine_of
from tests.backends.harness.kinds import POSTGRES
from tests.backends.harness.servers import private

KILLS = int(os.environ.get("ONEIRIC_KILLS", "2"))
RUNS = max(24, 4 * KILLS)


class Workers:
    """Processes at one place, and what they wrote."""

    def __init__(self, place: str, log: Path) -> None:
        self.place, self.log = place, log
        self.all: list[subprocess.Popen[str]] = []

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.backends.engine_worker", self.place, str(self.log)]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.all.append(worker)
        return worker

    def ready(self, *workers: subprocess.Popen[str]) -> None:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "works\n"

    def kill(self, worker: subprocess.Popen[str]) -> None:
        worker.kill()
        worker.wait(10)

    def lines(self, beginning: int = 0) -> list[list[str]]:
        text = self.log.read_bytes()[beginning:].decode() if self.log.exists() else ""
        return [line.split() for line in text.splitlines()]

    def begun(self, beginning: int = 0) -> list[str]:
        return [token for what, token, _ in self.lines(beginning) if what == "begin"]


@contextmanager
def workers(place: str, folder: Path) -> Iterator[Workers]:
    found = Workers(place, folder / "log")
    try:
        yield found
    finally:
        for worker in found.all:
            worker.kill()
            worker.wait(10)
            assert worker.stdout is not None
            worker.stdout.close()


@asynccontextmanager
async def watching(place: str) -> AsyncGenerator[DbosEngine, None]:
    """An engine that submits and looks, and carries nothing on."""
    engine = engine_of(place)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.aclose()


def branches() -> Flow:
    each: Node = {
        "call": "task:each", "after": ("a",), "for_each": "${input.items}", "most": 4, "at_once": 2,
        "with": {"it": "${item}"},
    }  # fmt: skip
    return flow("a", "b", each=each)


TOKENS = ("a", "b", "each[0]", "each[1]", "each[2]", "each[3]")


def within(seconds: float, case: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(case, seconds))


class KillCases:
    """For both databases."""

    place: str

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def test_kills_lose_no_run_and_repeat_no_finished_step(self) -> None:
        within(120 + 10 * KILLS, self._killed())

    async def _killed(self) -> None:
        chance = random.Random(7)
        kept: list[tuple[int, set[str]]] = []
        async with watching(self.place) as engine:
            with workers(self.place, self.folder) as all_of_them:
                alive = [all_of_them.start(), all_of_them.start()]
                all_of_them.ready(*alive)
                names = [f"r{number}" for number in range(RUNS)]
                running, finished = list(names), set[str]()
                for name in names:
                    assert await engine.submit(Submission(name, branches(), {"items": [1, 2, 3, 4]}, queue="q"))
                for _ in range(KILLS):
                    fresh = all_of_them.start()
                    await asyncio.sleep(chance.uniform(0.0, 0.4))
                    all_of_them.kill(alive.pop(0))
                    new = {f"{name}/{each.name}" for name in running for each in await engine.steps(name)} - finished
                    finished |= new
                    running = [name for name in running if not finished.issuperset(f"{name}/{each}" for each in TOKENS)]
                    kept.append((all_of_them.log.stat().st_size if all_of_them.log.exists() else 0, new))
                    all_of_them.ready(fresh)
                    alive.append(fresh)
                outcomes = [await engine.result(name) for name in names]
                assert {outcome["state"] for outcome in outcomes} == {"completed"}
                assert set(all_of_them.begun()) == {f"{name}/{each}" for name in names for each in TOKENS}
                for offset, new in kept:
                    assert not new & set(all_of_them.begun(offset))
                assert not await engine.submit(Submission("r0", branches(), {"items": [1, 2, 3, 4]}, queue="q"))

    def test_a_run_that_ends_processes_is_parked_and_others_go_on(self) -> None:
        within(240, self._poisoned())

    async def _poisoned(self) -> None:
        async with watching(self.place) as engine:
            tables = engine._kept()
            queued = tables.runs.c.status == "ENQUEUED"
            taken = (tables.runs.c.queue_name == "q") | (tables.runs.c.workflow_uuid == "bad")
            for name in ("bad", "beside"):
                await engine.submit(Submission(name, flow(name), {}, queue="q"))
            for number in range(13):
                with tables.engine.begin() as c:  # as a process does that takes up what it may, and ends
                    values = {"status": "PENDING", "executor_id": f"gone-{number}"}
                    c.execute(tables.runs.update().where(queued, taken).values(values))
                tables.recover(f"gone-{number}")
                if number == 3:
                    await engine.submit(Submission("later", flow("later"), {}, queue="q"))
                if (await engine.run("bad")).state == "parked":
                    break
            bad = await engine.run("bad")
            assert (number, bad.state) == (10, "parked")
            assert "no step was finished" in (bad.why or "")
            found = {each.id: (each.state, each.recoveries) for each in await engine.runs(queue="q")}
            assert (found["beside"], found["later"]) == (("queued", 3), ("queued", 0))

    def test_what_a_killed_process_had_is_taken_up(self) -> None:
        within(60, self._resumed())

    async def _resumed(self) -> None:
        async with watching(self.place) as engine:
            with workers(self.place, self.folder) as all_of_them:
                first, second = all_of_them.start(), all_of_them.start()
                all_of_them.ready(first, second)
                nodes = [f"n{number}" for number in range(100)]
                await engine.submit(Submission("long", flow(*nodes), {}, queue="q"))
                await until(lambda: len(all_of_them.begun()) > 5, "it is under way")
                by = {int(pid) for _, _, pid in all_of_them.lines()}
                victim = first if first.pid in by else second
                all_of_them.kill(victim)
                end = time.monotonic()
                await until(lambda: {int(pid) for _, _, pid in all_of_them.lines()} != by, "it goes on")
                assert time.monotonic() - end < 20
                assert (await engine.result("long"))["state"] == "completed"
                assert len(all_of_them.begun()) <= len(nodes) + 1


class TestKillsOfFile(KillCases):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.place = str(tmp_path / "engine.db")


class TestKillsOfServer(KillCases):
    @pytest.fixture(autouse=True)
    def _place(self) -> Iterator[None]:
        with private(POSTGRES) as server:
            self.server = server
            self.place = f"postgresql://postgres@{server.host}:{server.port}/postgres"
            _until_it_answers(self.place)
            yield

    def test_a_frozen_process_counts_as_gone(self) -> None:
        within(60, self._frozen())

    async def _frozen(self) -> None:
        async with watching(self.place) as engine:
            with workers(self.place, self.folder) as all_of_them:
                pair = all_of_them.start(), all_of_them.start()
                all_of_them.ready(*pair)
                nodes = [f"n{number}" for number in range(60)]
                await engine.submit(Submission("long", flow(*nodes), {}, queue="q"))
                await until(lambda: len(all_of_them.begun()) > 3, "it is under way")
                (victim,) = {int(pid) for _, _, pid in all_of_them.lines()}
                os.kill(victim, signal.SIGSTOP)
                await until(lambda: any(int(pid) != victim for _, _, pid in all_of_them.lines()), "it goes on")
                os.kill(victim, signal.SIGCONT)
                assert (await engine.result("long"))["state"] == "completed"
                assert set(all_of_them.begun()) == {f"long/{name}" for name in nodes}
                assert len(all_of_them.begun()) <= len(nodes) + 2

    def test_a_database_that_stops_is_waited_for(self) -> None:
        within(90, self._stopped())

    async def _stopped(self) -> None:
        async with watching(self.place) as engine:
            with workers(self.place, self.folder) as all_of_them:
                all_of_them.ready(all_of_them.start())
                names = [f"r{number}" for number in range(20)]
                for name in names:
                    await engine.submit(Submission(name, branches(), {"items": [1, 2, 3, 4]}, queue="q"))
                await until(lambda: len(all_of_them.begun()) > 5, "they are under way")
                self.server.kill()
                await asyncio.sleep(float(os.environ.get("ONEIRIC_OUTAGE", "2")))
                self.server.start()
                await asyncio.to_thread(_until_it_answers, self.place)
                for name in names:
                    assert (await engine.result(name))["state"] == "completed"
                assert set(all_of_them.begun()) == {f"{name}/{each}" for name in names for each in TOKENS}


def _until_it_answers(place: str) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(place).close()
        except psycopg.OperationalError:
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            return
