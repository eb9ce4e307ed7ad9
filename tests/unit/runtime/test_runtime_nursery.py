"""Nurseries: background tasks that end with their component, and are its health."""

from __future__ import annotations

import asyncio
import gc
import warnings
from typing import Any

import pytest
from oneiric import ActivationError, CloseError, Deadlines, Nursery, NurseryEnded, Runtime, ShutdownError

from tests.unit.runtime.making import key, run, wiring_of

SECRET = "hunter2"


async def until(done: Any) -> None:
    """Let others go on until something is so; the deadline of the test ends what never is."""
    while not done():
        await asyncio.sleep(0)


async def forever(log: list[str], name: str = "task") -> None:
    log.append(f"{name} runs")
    try:
        await asyncio.Event().wait()
    finally:
        log.append(f"{name} ends")


async def failing(error: BaseException) -> None:
    raise error


class Part:
    """A component with two tasks, one of which can be told to fail."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.tasks = Nursery()
        self.fail = asyncio.Event()

    async def start(self) -> None:
        self.tasks.create_task(forever(self.log))
        self.tasks.create_task(self.watch(), name="watcher")

    async def watch(self) -> None:
        await self.fail.wait()
        raise ValueError(SECRET)

    async def aclose(self) -> None:
        self.log.append("closed")

    async def ping(self) -> int:
        return 1


def test_tasks_run_and_give_what_they_come_to() -> None:
    async def story() -> None:
        nursery, log = Nursery(), list[str]()
        assert await nursery.create_task(asyncio.sleep(0, 7)) == 7
        task = nursery.create_task(forever(log))
        named = nursery.create_task(forever(log), name="mine")
        assert (task.get_name(), named.get_name()) == ("forever", "mine")
        await until(lambda: len(log) == 2)
        await nursery.aclose()
        assert task.cancelled() and named.cancelled() and nursery.failure is None
        assert log == ["task runs", "task runs", "task ends", "task ends"]
        await nursery.aclose()

    run(story())


def test_a_task_that_ends_or_is_cancelled_by_others_is_no_failure() -> None:
    async def story() -> None:
        nursery, log = Nursery(), list[str]()
        await nursery.create_task(asyncio.sleep(0))
        other = nursery.create_task(forever(log))
        await until(lambda: log)
        other.cancel()
        await asyncio.wait((other,))
        stays = nursery.create_task(forever(log, "other"))
        await until(lambda: "other runs" in log)
        assert nursery.failure is None and not stays.done()
        await nursery.aclose()

    run(story())


def test_a_task_that_fails_ends_the_others_and_the_nursery() -> None:
    async def story() -> None:
        nursery, log, error = Nursery(), list[str](), ValueError(SECRET)
        task = nursery.create_task(forever(log))
        await until(lambda: log)
        nursery.create_task(failing(error))
        await asyncio.wait((task,))
        assert task.cancelled() and nursery.failure is error
        with pytest.raises(NurseryEnded, match="a task of it raised ValueError") as caught:
            nursery.create_task(forever(log))
        assert SECRET not in str(caught.value)
        with pytest.raises(ExceptionGroup) as told:
            await nursery.aclose()
        assert told.value.exceptions == (error,)
        await nursery.aclose()
        assert nursery.failure is error, "told once, and still so"
        with pytest.raises(NurseryEnded, match="it is closed"):
            nursery.create_task(forever(log))
        assert log == ["task runs", "task ends"]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(story())
        gc.collect()


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=lambda each: type(each).__name__
)
def test_what_would_end_the_interpreter_ends_a_task_alone(error: BaseException) -> None:
    async def story() -> None:
        nursery = Nursery()
        task = nursery.create_task(failing(error))
        await asyncio.wait((task,))
        assert isinstance(nursery.failure, Exception)
        assert type(error).__name__ in str(nursery.failure) and nursery.failure.__cause__ is error
        with pytest.raises(ExceptionGroup):
            await nursery.aclose()

    run(story())


def test_what_fails_while_it_cleans_up_is_told_as_well() -> None:
    async def untidy(log: list[str]) -> None:
        try:
            await forever(log)
        finally:
            raise KeyError("untidy")

    async def story() -> None:
        nursery, log = Nursery(), list[str]()
        nursery.create_task(untidy(log))
        nursery.create_task(forever(log))
        await until(lambda: len(log) == 2)
        with pytest.raises(ExceptionGroup) as told:
            await nursery.aclose()
        assert [type(each) for each in told.value.exceptions] == [KeyError]

    run(story())


def test_a_task_is_cancelled_once_and_may_take_its_time() -> None:
    async def slow(log: list[str]) -> None:
        try:
            await forever(log)
        finally:
            for _ in range(20):
                await asyncio.sleep(0)
            log.append("clean")

    async def story() -> None:
        nursery, log = Nursery(), list[str]()
        nursery.create_task(slow(log))
        await until(lambda: log)
        await asyncio.gather(nursery.aclose(), nursery.aclose(), nursery.aclose())
        assert log[-1] == "clean"

    run(story())


def test_tasks_that_begin_others_while_they_end_cannot() -> None:
    async def story() -> None:
        nursery, log = Nursery(), list[str]()

        async def stubborn() -> None:
            try:
                await forever(log)
            finally:
                with pytest.raises(NurseryEnded):
                    nursery.create_task(forever(log, "late"))
                log.append("refused")

        nursery.create_task(stubborn())
        await until(lambda: log)
        await nursery.aclose()
        assert log == ["task runs", "task ends", "refused"]

    run(story())


def test_a_task_may_close_its_own_nursery() -> None:
    async def story() -> None:
        nursery, log = Nursery(), list[str]()
        nursery.create_task(forever(log))
        await until(lambda: log)
        await nursery.create_task(nursery.aclose())
        assert log == ["task runs", "task ends"]

    run(story())


def test_closing_that_is_cancelled_leaves_the_tasks_cancelled() -> None:
    async def story() -> None:
        nursery, go = Nursery(), asyncio.Event()

        async def deaf() -> None:
            while not go.is_set():
                try:
                    await go.wait()
                except asyncio.CancelledError:
                    continue

        task = nursery.create_task(deaf())
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(nursery.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait((closing,))
        assert closing.cancelled() and not task.done()
        go.set()
        await nursery.aclose()
        assert task.done()

    run(story())


def wiring(log: list[str]) -> tuple[Any, list[Part]]:
    """One component, and the instances that were made of it."""

    def make(_: Any) -> Part:
        made.append(Part(log))
        return made[-1]

    made: list[Part] = []
    return wiring_of(part=key(make)), made


def test_a_component_s_tasks_end_before_it_is_closed() -> None:
    async def story() -> None:
        log = list[str]()
        found, made = wiring(log)
        async with Runtime(found) as runtime, runtime.wiring.adapters.part.lease():
            await until(lambda: log)
            assert [each.ok for each in await runtime.health()] == [True]
        assert log == ["task runs", "task ends", "closed"]
        assert made[0].tasks.failure is None

    run(story())


def test_a_failure_is_the_component_s_health_and_told_when_it_closes() -> None:
    async def story() -> None:
        log = list[str]()
        found, made = wiring(log)
        with pytest.raises(ShutdownError) as caught:
            async with Runtime(found) as runtime, runtime.wiring.adapters.part.lease():
                made[0].fail.set()
                await until(lambda: made[0].tasks.failure)
                (told,) = await runtime.health()
                assert (told.ok, told.reason) == (False, "a background task of it raised ValueError")
        (error,) = caught.value.exceptions
        assert isinstance(error, CloseError) and isinstance(error.__cause__, ValueError)
        assert str(error) == "adapter:part (test): a background task raised ValueError"
        assert log == ["task runs", "task ends", "closed"]

    run(story())


def test_a_task_that_ignores_its_cancellation_holds_nothing_up_for_longer_than_the_deadline() -> None:
    async def story() -> None:
        log, go = list[str](), asyncio.Event()
        found, made = wiring(log)

        async def deaf() -> None:
            while not go.is_set():
                try:
                    await go.wait()
                except asyncio.CancelledError:
                    log.append("ignored")

        with pytest.raises(ShutdownError) as caught:
            late = Deadlines(close=0.05)
            async with Runtime(found, deadlines=late) as runtime, runtime.wiring.adapters.part.lease():
                task = made[0].tasks.create_task(deaf())
                await asyncio.sleep(0)
        assert [str(each) for each in caught.value.exceptions] == [
            "adapter:part (test): a background task took longer than 0.05 seconds"
        ]
        assert log.count("closed") == 1, "the component itself is closed all the same"
        assert "ignored" in log and not task.done()
        go.set()
        await asyncio.wait((task,))

    run(story())


def test_nurseries_in_slots_and_collections_are_found() -> None:
    class Slotted:
        __slots__ = ("many", "one")

        def __init__(self) -> None:
            self.one, self.many = Nursery(), {"a": Nursery()}
            self.one.create_task(forever(log, "one"))
            self.many["a"].create_task(forever(log, "many"))

        async def ping(self) -> int:
            return 1

    async def make(_: Any) -> Slotted:
        return Slotted()

    log = list[str]()

    async def story() -> None:
        async with Runtime(wiring_of(part=key(make))) as runtime, runtime.wiring.adapters.part.lease():
            await until(lambda: len(log) == 2)
        assert sorted(log) == ["many ends", "many runs", "one ends", "one runs"]

    run(story())


def test_a_component_that_is_replaced_leaves_no_task_behind() -> None:
    """Closed while it runs, by an activation that fails after its start."""

    class Unwell(Part):
        async def health(self) -> bool:
            await until(lambda: self.log)
            return False

    async def story() -> None:
        log = list[str]()
        async with Runtime(wiring_of(part=key(lambda _: Unwell(log)))) as runtime:
            with pytest.raises(ActivationError, match="health"):
                async with runtime.wiring.adapters.part.lease():
                    pass
            await until(lambda: "closed" in log)
        assert log == ["task runs", "task ends", "closed"]

    run(story())
