"""Components that fail: seen, told, and where their binding says so made again beside the one that failed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from oneiric import Deadlines, Runtime
from oneiric.errors import ShutdownError
from oneiric.lifecycle import looks
from oneiric.runtime import host_of

from tests.unit.runtime.making import Part, key, run, wiring_of

ON_FAILURE = {"restart": "on-failure", "eager": True}


class Patient(Part):
    """As well as it is said to be."""

    well = True

    def health(self) -> bool:
        return self.well


class Consumer(Part):
    """Consumes in the background until it is told to fail."""

    def __init__(self, made: list[Part]) -> None:
        super().__init__(made)
        self.fail = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self.tasks.append(asyncio.create_task(self._consume()))

    async def _consume(self) -> None:
        await self.fail.wait()
        raise ConnectionError("a password")

    def close(self) -> None:
        super().close()
        for task in self.tasks:
            task.get_loop().call_soon_threadsafe(task.cancel)


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"PERIOD": 0.01, "FIRST": 0.01, "LONGEST": 0.02}.items():
        monkeypatch.setattr(looks, name, seconds)


async def until(what: Callable[[], object]) -> None:
    """The deadline is that of `run`."""
    while not what():
        await asyncio.sleep(0.001)


def unwell(runtime: Runtime[Any]) -> list[str | None]:
    found = host_of(runtime).looks
    return [] if found is None else [each.reason for each in found.unwell()]


def closes(made: list[Part]) -> list[int]:
    return [part.closes for part in made]


def test_one_that_turns_unhealthy_is_replaced_and_no_call_fails_or_waits() -> None:
    made: list[Part] = []
    small = wiring_of(patient=key(lambda _: Patient(made), **ON_FAILURE))

    async def day() -> None:
        async with Runtime(small) as runtime:
            slot = runtime.wiring.adapters.patient
            async with slot.lease() as old:
                old.well = False
                await until(lambda: slot.current is not old)
                async with asyncio.timeout(1), slot.lease() as new:
                    assert new is made[1]
                    assert await old.ping() == 1
                assert closes(made) == [0, 0], "the old one is in use still"
            await until(lambda: closes(made) == [1, 0])
            assert unwell(runtime) == []
        assert closes(made) == [1, 1]

    run(day())


def test_one_whose_background_task_ended_with_an_error_is_replaced() -> None:
    made: list[Part] = []
    small = wiring_of(consumer=key(lambda _: Consumer(made), **ON_FAILURE))

    async def day() -> None:
        async with Runtime(small) as runtime:
            slot = runtime.wiring.adapters.consumer
            old = slot.current
            old.fail.set()
            await until(lambda: slot.current is not old)
            assert not slot.current.tasks[0].done()

    run(day())
    assert closes(made) == [1, 1]


def test_without_a_word_in_its_binding_nothing_is_restarted_and_nobody_looks() -> None:
    made: list[Part] = []
    small = wiring_of(patient=key(lambda _: Patient(made), eager=True))

    async def day() -> None:
        async with Runtime(small) as runtime:
            assert host_of(runtime).looks is None

    run(day())


def test_what_fails_again_and_again_is_restarted_so_often_and_then_left_unhealthy() -> None:
    made: list[Part] = []

    def build(_: object) -> Patient:
        patient = Patient(made)
        patient.well = len(made) == 1
        return patient

    small = wiring_of(patient=key(build, **ON_FAILURE))

    async def day() -> None:
        async with Runtime(small) as runtime:
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            first = runtime.wiring.adapters.patient.current
            first.well = False
            told = "health() answered False; restarted 5 times in 10 minutes"
            await until(lambda: unwell(runtime) == [told])
            await until(lambda: len(made) == 1 + looks.MOST)
            await asyncio.sleep(0.1)
            assert len(made) == 1 + looks.MOST
            assert runtime.wiring.adapters.patient.current is first, "it serves what it can"
        assert closes(made) == [1] * 6

    run(day())


def test_the_waits_between_restarts_grow_from_a_second_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    waits = [looks.wait_before(restart) for restart in range(looks.MOST)]
    assert (waits[0], waits[-1]) == (1.0, pytest.approx(60.0))
    assert waits == sorted(waits)


def test_one_that_is_well_again_in_time_is_not_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "FIRST", 0.2)
    monkeypatch.setattr(looks, "LONGEST", 0.2)
    made: list[Part] = []
    small = wiring_of(patient=key(lambda _: Patient(made), **ON_FAILURE))

    async def day() -> None:
        async with Runtime(small) as runtime:
            patient = runtime.wiring.adapters.patient.current
            watch: Any = host_of(runtime).looks
            patient.well = False
            await until(lambda: watch._restarting)
            patient.well = True
            await until(lambda: not watch._restarting)
            assert unwell(runtime) == []
        assert len(made) == 1

    run(day())


def test_what_an_operator_paused_is_not_restarted() -> None:
    made: list[Part] = []
    small = wiring_of(patient=key(lambda _: Patient(made), **ON_FAILURE))

    async def day() -> None:
        async with Runtime(small) as runtime:
            host_of(runtime).paused["adapter:patient"] = "disks"
            runtime.wiring.adapters.patient.current.well = False
            await until(lambda: unwell(runtime))
            assert not host_of(runtime).looks._restarting  # type: ignore[union-attr]
            del host_of(runtime).paused["adapter:patient"]
            await until(lambda: len(made) == 2)

    run(day())


class Gate:
    """A factory that waits, in its thread, from the second instance on."""

    def __init__(self, made: list[Part]) -> None:
        self.made = made
        self.waiting = threading.Event()
        self.open = threading.Event()

    def __call__(self, _: object) -> Patient:
        if self.made:
            self.waiting.set()
            self.open.wait(10)
        return Patient(self.made)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate([])
    yield gate
    gate.open.set()


def test_a_reload_that_is_quicker_wins(gate: Gate) -> None:
    other: list[Part] = []
    small = wiring_of(patient=key(gate, **ON_FAILURE))
    newer = wiring_of(patient=key(lambda _: Patient(other), **ON_FAILURE))
    newer.__domains__["adapters"].__bindings__["patient"].fingerprint = "g"

    async def day() -> None:
        async with Runtime(small) as runtime:
            runtime.wiring.adapters.patient.current.well = False
            await until(gate.waiting.is_set)
            assert (await runtime.reload(newer)).accepted
            gate.open.set()
            await until(lambda: closes(gate.made) == [1, 1])
            assert runtime.wiring.adapters.patient.current is other[0]
        assert closes(other) == [1]

    run(day())


def test_an_exit_while_something_is_restarted_closes_all(gate: Gate) -> None:
    small = wiring_of(patient=key(gate, **ON_FAILURE))

    async def day() -> None:
        async with Runtime(small) as runtime:
            runtime.wiring.adapters.patient.current.well = False
            await until(gate.waiting.is_set)
            asyncio.get_running_loop().call_later(0.05, gate.open.set)

    run(day())
    assert set(closes(gate.made)) == {1}


def test_an_exit_while_a_restart_waits_for_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "FIRST", 3600.0)
    made: list[Part] = []
    small = wiring_of(patient=key(lambda _: Patient(made), **ON_FAILURE))

    async def day() -> None:
        async with Runtime(small) as runtime:
            runtime.wiring.adapters.patient.current.well = False
            await until(lambda: unwell(runtime))

    run(day())
    assert closes(made) == [1]


class Hanging(Part):
    """Its check hangs in its thread, and counts how often it was asked for."""

    asked = 0
    over = threading.Event()

    def health(self) -> bool:
        self.asked += 1
        if self.asked > 1:
            self.over.wait(10)
        return True


def test_a_check_that_hangs_in_a_thread_is_one_thread_however_often_it_is_asked_for() -> None:
    made: list[Part] = []
    small = wiring_of(hanging=key(lambda _: Hanging(made), eager=True), fine=key(lambda _: Patient(made), eager=True))

    async def day() -> None:
        async with Runtime(small, deadlines=Deadlines(health=0.05)) as runtime:
            for _ in range(5):
                told = {each.key: each.reason for each in await runtime.health()}
                assert told == {"adapter:hanging": "health took longer than 0.05 seconds", "adapter:fine": None}
            hanging = runtime.wiring.adapters.hanging.current
            assert hanging.asked == 2, "once at its start, and once since"
            assert host_of(runtime).active[runtime.wiring.adapters.hanging].leases == 0
            Hanging.over.set()
            await until(lambda: host_of(runtime).active[runtime.wiring.adapters.hanging].asked.done())  # type: ignore[union-attr]
            assert all(each.ok for each in await runtime.health())

    run(day())


class Stuck(Part):
    """The second time that it is asked its check never ends; cancelled it does."""

    asked = 0

    async def health(self) -> bool:
        self.asked += 1
        if self.asked == 2:
            await asyncio.Event().wait()
        return True


def test_a_check_that_hangs_in_the_loop_is_given_up_and_asked_for_once_more() -> None:
    made: list[Part] = []
    small = wiring_of(stuck=key(lambda _: Stuck(made), eager=True))

    async def day() -> None:
        async with Runtime(small, deadlines=Deadlines(health=0.05)) as runtime:
            (told,) = await runtime.health()
            assert told.reason == "health took longer than 0.05 seconds"
            await until(lambda: runtime.wiring.adapters.stuck.current.asked == 2)
            held = host_of(runtime).active[runtime.wiring.adapters.stuck]
            await until(lambda: held.asked is not None and held.asked.done())
            (told,) = await runtime.health()
            assert told.ok

    run(day())


class Slotted:
    __slots__ = ("empty", "task")


class Odd:
    """Says anything of itself but what it is."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        raise RuntimeError("no")

    def __getattr__(self, name: str) -> object:
        raise AttributeError(name)


@pytest.mark.parametrize("where", ["attribute", "list", "dictionary", "slot"])
def test_a_background_task_is_found_where_a_component_keeps_it(where: str) -> None:
    async def fails() -> None:
        raise ValueError("a password")

    async def day() -> list[str | None]:
        task = asyncio.ensure_future(fails())
        ended = asyncio.ensure_future(asyncio.sleep(0))
        cancelled = asyncio.ensure_future(asyncio.sleep(60))
        cancelled.cancel()
        await asyncio.wait([task, ended, cancelled])
        if where == "slot":
            part: Any = Slotted()
            part.task = task
        else:
            kept = {"attribute": task, "list": [1, Odd(), ended, task], "dictionary": {"a": Odd(), "b": task}}[where]
            part = SimpleNamespace(odd=Odd(), ended=ended, cancelled=cancelled, kept=kept)
        small = wiring_of(part=key(lambda _: part, eager=True))
        async with Runtime(small) as runtime:
            return [each.reason for each in await runtime.health()]

    assert run(day()) == ["a background task of it raised ValueError"]


def test_tasks_that_ended_well_or_were_cancelled_are_no_failures() -> None:
    async def day() -> list[bool]:
        ended, cancelled = asyncio.ensure_future(asyncio.sleep(0)), asyncio.ensure_future(asyncio.sleep(60))
        cancelled.cancel()
        await asyncio.wait([ended, cancelled])
        part = SimpleNamespace(ended=ended, cancelled=cancelled, odd=Odd())
        async with Runtime(wiring_of(part=key(lambda _: part, eager=True))) as runtime:
            return [each.ok for each in await runtime.health()]

    assert run(day()) == [True]


@pytest.mark.parametrize("stage", ["looks", "changes", "close"])
def test_what_fails_to_stop_keeps_no_instance_from_being_closed(stage: str) -> None:
    made: list[Part] = []

    async def story() -> None:
        wiring = wiring_of(part=key(lambda _: Part(made), port="tests.unit.runtime.making:Part", **ON_FAILURE))
        runtime = Runtime(wiring)

        async def fails(*_: object) -> None:
            raise OSError("no more room")

        with pytest.raises(ShutdownError) as raised:
            async with runtime:
                host = host_of(runtime)
                if stage == "looks":
                    assert host.looks is not None
                    host.looks.stop = fails  # type: ignore[method-assign]
                else:
                    stages = {"stop": stops, "close": lambda: None}
                    stages |= {"stop": fails} if stage == "changes" else {"close": fails_now}
                    host.changes = SimpleNamespace(**stages)  # type: ignore[assignment]
        assert [type(each) for each in raised.value.exceptions] == [OSError]
        assert [each.closes for each in made] == [1] and host.leaving is not None and host.leaving.done()

    def fails_now() -> None:
        raise OSError("no more room")

    async def stops(_: object) -> None: ...

    run(story())
