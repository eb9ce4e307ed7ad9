"""Schedules on an engine: once per tick, what was missed, overlap, tenants, pauses, and processes that are killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from oneiric.adapters.engine.inline import InlineEngine
from oneiric.engines import firing, schedules
from oneiric.engines.firing import Fired, Firing, Planned
from oneiric.engines.marks import Mark, mark_of
from oneiric.errors import Unavailable
from oneiric.flows.model import Limits, Step, Submission, Unserved
from oneiric.host import Host
from oneiric.slot import Deadlines
from oneiric.wiring import Domain, Wiring

from tests.unit.events.ticking import campaign
from tests.unit.runtime.making import run


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NOON = at("2026-01-01T12:00")
HOURLY = {"every": 3600.0, "call": "task:report", "misfire": "once", "overlap": "skip"}


def wired(**stated: dict[str, Any]) -> type[Any]:
    wiring: Any = type("Made", (Wiring,), {}, app="shop")
    wiring.domains(tasks=type("Tasks", (Domain,), {"__schedules__": stated}))
    return wiring


class Work:
    """The runs of these tests: `held` ones wait until they are let go."""

    def __init__(self) -> None:
        self.engine = InlineEngine()
        self.made: list[Step] = []
        self.held: dict[str, asyncio.Event] = {}
        self.submitted: list[Submission] = []
        self.faults: list[Exception] = []

    async def begin(self, user: object) -> None:
        await self.engine.work(self, {"ordered": Limits()})

    async def end(self, user: object) -> None:
        await self.engine.rest()

    async def submit(self, submission: Submission) -> bool:
        if self.faults:
            raise self.faults.pop()
        new = await self.engine.submit(submission)
        self.submitted.append(submission)
        return new

    def flow_of(self, key: str, tenant: str | None) -> Any:
        raise Unserved(key)

    def begins(self, run: str) -> None:
        pass

    async def call(self, step: Step) -> Any:
        self.made.append(step)
        if step.run in self.held:
            await self.held[step.run].wait()
        return {}


class Bench:
    """Schedules of a wiring at whatever time a test says it is."""

    def __init__(self, work: Work, **stated: dict[str, Any]) -> None:
        self.work = work
        self.host = Host(wired(**stated), {}, {}, Deadlines(), None, 60.0, "error", None)
        self.firing = Firing(self.host)

    async def look(self, now: datetime) -> Fired:
        plans = await self.firing.plans()
        return await self.firing.look(plans, now)

    async def marks(self) -> dict[str, Mark | None]:
        plans = {f"schedule/shop/{each.title}": each for each in await self.firing.plans()}
        kept = await self.work.engine.marks("")
        return {name.removeprefix("schedule/shop/"): mark_of(text, plans[name].timing) for name, text in kept.items()}


@pytest.fixture(name="work")
def what_runs(monkeypatch: pytest.MonkeyPatch) -> Work:
    work: Work | None = None

    def one(scope: object) -> Work:
        assert work is not None
        return work

    work = Work()
    for module in (firing, schedules):
        monkeypatch.setattr(module, "work_of", one)
    return work


@asynccontextmanager
async def working(work: Work) -> AsyncIterator[None]:
    await work.begin(None)
    try:
        yield
    finally:
        await work.engine.aclose()


async def settle(work: Work) -> None:
    """Let every run that may end do so."""
    for each in work.submitted:
        if each.id not in work.held or work.held[each.id].is_set():
            await work.engine.result(each.id)


def test_nothing_before_a_schedule_was_seen_is_due_and_each_tick_once(work: Work) -> None:
    async def main() -> None:
        async with working(work):
            bench = Bench(work, nightly=HOURLY)
            assert (await bench.look(NOON)).runs == []
            assert (await bench.look(NOON + timedelta(minutes=59))).runs == []
            assert (await bench.look(NOON + timedelta(hours=1))).runs == ["schedule/nightly/2026-01-01T13:00:00Z"]
            assert (await bench.look(NOON + timedelta(hours=1, minutes=1))).runs == []
            await settle(work)
            other = Bench(work, nightly=HOURLY)  # of another process
            assert (await other.look(NOON + timedelta(hours=1, minutes=2))).runs == []
            assert (await other.look(NOON)).runs == []  # whose clock is late
            assert (await other.look(NOON + timedelta(hours=2, seconds=5))).runs == [
                "schedule/nightly/2026-01-01T14:00:00Z"
            ]
            await settle(work)
        assert [(step.call, dict(step.payload)) for step in work.made] == [("task:report", {})] * 2

    run(main())


def test_another_timing_begins_anew_and_a_schedule_that_is_gone_is_forgotten(work: Work) -> None:
    async def main() -> None:
        async with working(work):
            await Bench(work, nightly=HOURLY, other=HOURLY).look(NOON)
            often = {**HOURLY, "every": 600.0}
            bench = Bench(work, nightly=often)
            assert (await bench.look(NOON + timedelta(hours=5, seconds=1))).runs == []
            await bench.firing.forget(await bench.firing.plans())
            assert set(await work.engine.marks("")) == {"schedule/shop/nightly"}
            again = Bench(work, nightly=often, other=HOURLY)
            assert (await again.look(NOON + timedelta(hours=6, seconds=1))).runs == [
                "schedule/nightly/2026-01-01T17:50:00Z",
                "schedule/nightly/2026-01-01T18:00:00Z",
            ]

    run(main())


def test_ticks_that_were_missed_and_dropped_are_counted(work: Work, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with working(work):
            bench = Bench(work, nightly={**HOURLY, "misfire": "skip"})
            await bench.look(NOON)
            assert (await bench.look(NOON + timedelta(hours=4, minutes=30))).runs == []
            mark = (await bench.marks())["nightly"]
            assert mark is not None
            assert (mark.dropped, mark.runs, mark.newest) == (4, 0, NOON + timedelta(hours=4))

    run(main())
    assert "schedule nightly: 4 ticks up to 2026-01-01T16:00:00Z are dropped" in caplog.text


def test_all_that_were_missed_run_one_after_the_other(work: Work) -> None:
    async def main() -> None:
        async with working(work):
            bench = Bench(
                work, nightly={**HOURLY, "misfire": "all", "with": {"at": "${tick.at}", "by": "${tick.schedule}"}}
            )
            await bench.look(NOON)
            assert len((await bench.look(NOON + timedelta(hours=4, minutes=30))).runs) == 4
            await settle(work)
        hours = [f"2026-01-01T{hour}:00:00Z" for hour in (13, 14, 15, 16)]
        assert [step.payload for step in work.made] == [{"at": hour, "by": "nightly"} for hour in hours]
        assert {each.order for each in work.submitted} == {"schedule/nightly"}

    run(main())


def test_most_counts_runs(work: Work) -> None:
    async def main() -> None:
        async with working(work):
            bench = Bench(work, nightly={**HOURLY, "most": 2})
            await bench.look(NOON)
            counts = []
            for hour in range(1, 5):
                counts.append(len((await bench.look(NOON + timedelta(hours=hour))).runs))
                await settle(work)
            assert counts == [1, 1, 0, 0]

    run(main())


def test_a_tick_does_not_overlap_a_run(work: Work) -> None:
    async def main() -> None:
        async with working(work):
            bench = Bench(work, nightly=HOURLY)
            first = "schedule/nightly/2026-01-01T13:00:00Z"
            work.held[first] = asyncio.Event()
            await bench.look(NOON)
            assert (await bench.look(NOON + timedelta(hours=1))).runs == [first]
            assert (await bench.look(NOON + timedelta(hours=2))).runs == []
            work.held[first].set()
            await settle(work)
            assert (await bench.look(NOON + timedelta(hours=2, seconds=30))).runs == []
            assert (await bench.look(NOON + timedelta(hours=3))).runs == ["schedule/nightly/2026-01-01T15:00:00Z"]

    run(main())


def test_one_tick_waits_where_that_is_said(work: Work) -> None:
    async def main() -> None:
        async with working(work):
            bench = Bench(work, nightly={**HOURLY, "overlap": "queue"})
            first = "schedule/nightly/2026-01-01T13:00:00Z"
            work.held[first] = asyncio.Event()
            await bench.look(NOON)
            assert (await bench.look(NOON + timedelta(hours=1))) == Fired([first], waiting=False)
            assert (await bench.look(NOON + timedelta(hours=2))) == Fired([], waiting=True)
            assert (await bench.look(NOON + timedelta(hours=3))) == Fired([], waiting=True)
            work.held[first].set()
            await settle(work)
            second = "schedule/nightly/2026-01-01T14:00:00Z"
            assert (await bench.look(NOON + timedelta(hours=3, seconds=9))) == Fired([second], waiting=False)
            mark = (await bench.marks())["nightly"]
            assert mark is not None
            assert (mark.runs, mark.dropped) == (2, 1)

    run(main())


@pytest.mark.parametrize("how", ["parked", "forgotten"])
def test_a_run_that_does_not_go_on_frees_its_place(work: Work, how: str) -> None:
    async def main() -> None:
        async with working(work):
            bench = Bench(work, nightly=HOURLY)
            await bench.look(NOON)
            if how == "parked":
                work.call = _unserved  # type: ignore[method-assign]
            (first,) = (await bench.look(NOON + timedelta(hours=1))).runs
            if how == "forgotten":
                await work.engine.result(first)
                assert await work.engine.forget(run=first) == 1
            else:
                while (await work.engine.run(first)).state != "parked":
                    await asyncio.sleep(0)
            assert len((await bench.look(NOON + timedelta(hours=2))).runs) == 1

    run(main())


async def _unserved(step: Step) -> Any:
    raise Unserved("nobody")


def test_jitter_delays_the_start_and_never_the_id(work: Work) -> None:
    async def main() -> None:
        bench = Bench(work, nightly={**HOURLY, "jitter": 1800.0}, other={**HOURLY, "jitter": 1800.0})
        await bench.look(NOON)
        runs = (await bench.look(NOON + timedelta(hours=1))).runs
        assert runs == ["schedule/nightly/2026-01-01T13:00:00Z", "schedule/other/2026-01-01T13:00:00Z"]
        one, other = (datetime.fromisoformat(each.not_before or "") for each in work.submitted)
        assert one != other
        assert all(NOON + timedelta(hours=1) <= each < NOON + timedelta(hours=1, minutes=30) for each in (one, other))
        again = [bench.firing.submission(plan, NOON + timedelta(hours=1)) for plan in await bench.firing.plans()]
        assert again == work.submitted

    run(main())


def test_an_unserved_workflow_is_a_run_that_will_be_parked_and_methods_and_fields_are_kept(work: Work) -> None:
    async def main() -> None:
        retry = {"attempts": 3, "delay": 1.0, "max": 2.0, "jitter": 0.0}
        bench = Bench(
            work,
            a={**HOURLY, "call": "workflow:gone"},
            b={**HOURLY, "call": "service:mail#send", "retry": retry, "timeout": 5.0, "queue": "mail"},
        )
        await bench.look(NOON)
        await bench.look(NOON + timedelta(hours=1))
        one, other = work.submitted
        assert (one.flow["key"], one.flow["nodes"]["call"]["call"]) == ("workflow:gone", "workflow:gone")
        node = other.flow["nodes"]["call"]
        assert (other.flow["key"], node["call"], node["retry"], node["timeout"], other.queue) == (
            "service:mail", "service:mail#send", retry, 5.0, "mail",
        )  # fmt: skip

    run(main())


def test_what_is_paused_takes_nothing_in_and_makes_up_for_it(work: Work) -> None:
    async def main() -> None:
        async with working(work):
            bench = Bench(work, nightly=HOURLY)
            await bench.look(NOON)
            bench.host.paused["task:report"] = "maintenance"
            assert (await bench.look(NOON + timedelta(hours=1))).runs == []
            assert (await bench.look(NOON + timedelta(hours=2))).runs == []
            del bench.host.paused["task:report"]
            assert (await bench.look(NOON + timedelta(hours=2, minutes=30))).runs == [
                "schedule/nightly/2026-01-01T14:00:00Z"
            ]

    run(main())


def test_what_was_settled_is_submitted_by_whoever_looks_next(work: Work) -> None:
    async def main() -> None:
        async with working(work):
            bench = Bench(work, nightly=HOURLY, other=HOURLY)
            await bench.look(NOON)
            work.faults = [Unavailable("away")]
            assert set((await bench.look(NOON + timedelta(hours=1))).failed) == {"nightly"}
            assert [each.id for each in work.submitted] == ["schedule/other/2026-01-01T13:00:00Z"]
            mark = (await bench.marks())["nightly"]
            assert mark is not None
            assert mark.pending == (NOON + timedelta(hours=1),)
            other = Bench(work, nightly=HOURLY, other=HOURLY)
            assert (await other.look(NOON + timedelta(hours=1, minutes=50))).runs == [
                "schedule/nightly/2026-01-01T13:00:00Z"
            ]

    run(main())


def test_each_tenant_has_its_ticks(work: Work) -> None:
    async def main() -> None:
        async with working(work):
            bench = Bench(work, nightly={**HOURLY, "tenants": ["acme", "bolt"]})
            await bench.look(NOON)
            assert (await bench.look(NOON + timedelta(hours=1))).runs == [
                "schedule/nightly@acme/2026-01-01T13:00:00Z",
                "schedule/nightly@bolt/2026-01-01T13:00:00Z",
            ]
            await settle(work)
        assert [step.tenant for step in work.made] == ["acme", "bolt"]

    run(main())


def test_many_who_look_at_once_fire_each_tick_once(work: Work) -> None:
    async def main() -> None:
        async with working(work):
            benches = [
                Bench(work, nightly=HOURLY, often={**HOURLY, "every": 600.0, "misfire": "all"}) for _ in range(5)
            ]
            await benches[0].look(NOON)
            for minutes in range(0, 600, 7):
                await asyncio.gather(*(each.look(NOON + timedelta(minutes=minutes)) for each in benches))
                await settle(work)
        ids = [each.id for each in work.submitted]
        assert {each for each in ids if "/often/" in each} == {
            f"schedule/often/{NOON + timedelta(minutes=each):%Y-%m-%dT%H:%M:%SZ}" for each in range(10, 600, 10)
        }
        assert len({step.run for step in work.made}) == len(work.made)

    run(main())


def test_the_engine_fires_until_it_is_stopped(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [NOON]
    monkeypatch.setattr(schedules, "now", lambda: clock[0])
    monkeypatch.setattr(schedules, "_OFTEN", 0.01)
    monkeypatch.setattr(schedules, "_LEAST", 0.005)

    async def main() -> None:
        host = Host(wired(nightly=HOURLY), {}, {}, Deadlines(), None, 60.0, "error", None)
        engine = schedules.Schedules(host, "tasks")
        await engine.start()
        while not await work.engine.marks(""):
            await asyncio.sleep(0.005)
        clock[0] = NOON + timedelta(hours=1)
        while not work.made:
            await asyncio.sleep(0.005)
        await engine.stop()
        clock[0] = NOON + timedelta(hours=2)
        await asyncio.sleep(0.05)
        assert [step.run for step in work.made] == ["schedule/nightly/2026-01-01T13:00:00Z"]

    run(main())


def test_marks_are_read_as_they_were_written() -> None:
    mark = Mark("t", NOON, 3, 4, (NOON,), (NOON, at("2026-01-01T12:00:00.000001")), NOON)
    assert mark_of(mark.text(), "t") == mark
    assert mark_of(mark.text(), "u") is None
    assert mark_of(None, "t") is None


def test_both_nights_by_five_processes_of_which_two_are_killed(tmp_path: Path) -> None:
    campaign(tmp_path, nights=2, processes=5, kills=2, seconds=2.0)


def test_a_plan_has_a_name_of_its_tenant() -> None:
    plan: Planned = firing.plan_of("nightly", "acme", HOURLY)
    assert plan.title == "nightly@acme"
    assert plan.next(NOON) == NOON + timedelta(hours=1)
