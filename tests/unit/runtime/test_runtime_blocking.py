"""What is synchronous of a component runs in a thread, or in the loop where it says that it does not block."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from oneiric import ActivationError, CloseError, Runtime, ShutdownError
from oneiric.declaration import component

from tests.unit.runtime.making import key, run, wiring_of


class Threaded:
    """Notes which of its steps ran in the loop's thread."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.steps: dict[str, bool] = {}
        self.step("factory")

    def step(self, name: str) -> None:
        self.steps[name] = threading.current_thread() is threading.main_thread()
        if name == self.fault:
            raise OSError("pw=hunter2")

    def start(self) -> None:
        self.step("start")

    def health(self) -> bool:
        self.step("health")
        return True

    def close(self) -> None:
        self.step("close")


@pytest.mark.parametrize("blocking", [True, False])
def test_where_the_steps_of_a_component_run(blocking: bool) -> None:
    made: list[Threaded] = []

    async def story() -> None:
        wiring = wiring_of(part=key(lambda _: Threaded(), blocking=blocking))
        async with Runtime(wiring) as runtime, runtime.wiring.adapters.part.lease() as part:
            made.append(part)
            part.steps.pop("health")
            await runtime.health()

    run(story())
    assert made[0].steps == dict.fromkeys(("factory", "start", "health", "close"), not blocking)


@pytest.mark.parametrize("blocking", [True, False])
def test_where_one_is_entered_and_left(blocking: bool) -> None:
    steps: list[bool] = []

    def entered() -> Iterator[int]:
        steps.append(threading.current_thread() is threading.main_thread())
        yield 1
        steps.append(threading.current_thread() is threading.main_thread())

    async def story() -> None:
        wiring = wiring_of(part=key(lambda domain: domain._enter(entered()), blocking=blocking))
        async with Runtime(wiring) as runtime, runtime.wiring.adapters.part.lease() as part:
            assert part == 1

    run(story())
    assert steps == [not blocking] * 2


@pytest.mark.parametrize("fault", ["factory", "start", "health"])
def test_an_error_in_the_loop_is_told_as_one_in_a_thread(fault: str) -> None:
    async def story() -> None:
        async with Runtime(wiring_of(part=key(lambda _: Threaded(fault), blocking=False))) as runtime:
            with pytest.raises(ActivationError) as caught:
                async with runtime.wiring.adapters.part.lease():
                    pass
            assert caught.value.step == fault
            assert f"{fault} raised OSError" in str(caught.value)
            assert "hunter2" not in str(caught.value)

    run(story())


def leave_the_process(_: Any) -> None:
    raise SystemExit(3)


def test_a_factory_that_ends_the_process_does_not() -> None:
    async def story() -> None:
        async with Runtime(wiring_of(part=key(leave_the_process, blocking=False))) as runtime:
            with pytest.raises(ActivationError, match="factory raised SystemExit"):
                async with runtime.wiring.adapters.part.lease():
                    pass

    run(story())


def test_a_close_that_fails_is_reported() -> None:
    async def story() -> None:
        wiring = wiring_of(part=key(lambda _: Threaded("close"), blocking=False))
        with pytest.raises(ShutdownError) as caught:
            async with Runtime(wiring) as runtime, runtime.wiring.adapters.part.lease():
                pass
        (error,) = caught.value.exceptions
        assert isinstance(error, CloseError)
        assert "close raised OSError" in str(error)

    run(story())


def test_the_declaration_records_it() -> None:
    @component("adapter", "part", provider="p", blocking=False)
    def part() -> None: ...

    (declared,) = vars(part)["__oneiric__"]
    assert declared.arguments["blocking"] is False
