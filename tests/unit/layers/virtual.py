"""A loop whose clock stands still while there is something to do, and then jumps to the next timer: tests of waiting
take no time, and what they measure is exact."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from math import inf, nextafter
from typing import Any, TypeVar

from tests.unit.runtime.making import EAGER

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if timeout is None and not ready:
            raise AssertionError("everybody waits for ever")
        if timeout and not ready:
            self.now = max(self.now + timeout, nextafter(self.now, inf))
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.clock = _Selector()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


def now() -> float:
    """The running loop's clock."""
    return asyncio.get_running_loop().time()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a test's coroutine by a clock of its own; in a loop whose tasks may be eager."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        if EAGER:
            runner.get_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        return runner.run(work)
