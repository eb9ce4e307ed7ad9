"""Cancel a piece of work at its every suspension, one run after the other, each run the same up to there.

What would come at a moment of its own, a thread's end, comes at one of two: at once, or when nothing else is to do.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import SimpleNamespace
from typing import Any, Literal, TypeAlias

import pytest
from oneiric.lifecycle import steps

from tests.unit.runtime.making import EAGER

When: TypeAlias = Literal["at once", "when idle"]
Act: TypeAlias = Callable[[Awaitable[Any]], Awaitable[bool]]
"""Does a piece of work, which may be cancelled; whether it was over before."""
_MOST = 1000
_SECONDS = 30.0


class _Thread(threading.Thread):
    """A thread of `in_thread` that is started when the loop says so, and has told its outcome then."""

    def __init__(self, *, loop: _Loop, **options: Any) -> None:
        super().__init__(**options)
        self.told = threading.Event()
        self._loop = loop

    def start(self) -> None:
        self._loop.waiting.append(self)
        if self._loop.when == "at once":
            self._loop.release()


class _Selector(selectors.DefaultSelector):
    """Releases a thread when the loop would wait."""

    loop: _Loop

    def select(self, timeout: float | None = None) -> Any:
        if (timeout is None or timeout > 0) and self.loop.waiting:
            self.loop.release()
        return super().select(timeout)


class _Loop(asyncio.SelectorEventLoop):
    """A loop that counts its tasks' suspensions from `begin` on, and cancels a task at one."""

    def __init__(self, when: When) -> None:
        selector = _Selector()
        selector.loop = self
        self.waiting: deque[_Thread] = deque()
        self.when = when
        self.trace: list[str] = []
        self._at = -1
        self._work: asyncio.Task[Any] | None = None
        super().__init__(selector)
        self.set_task_factory(self._task)

    def _task(self, loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        if EAGER:
            options["eager_start"] = True
        return asyncio.Task(_Suspending(work, self._suspended), loop=loop, **options)

    def begin(self, work: asyncio.Task[Any], at: int) -> None:
        self._work, self._at, self.trace = work, at, []

    def _suspended(self, name: str) -> None:
        if self._work is None or self._work.done():
            return
        self.trace.append(name)
        if len(self.trace) == self._at:
            self._work.cancel()

    def release(self) -> None:
        thread = self.waiting.popleft()
        threading.Thread.start(thread)
        assert thread.told.wait(_SECONDS)

    def call_soon_threadsafe(self, callback: Any, *arguments: Any, context: Any = None) -> asyncio.Handle:
        handle = super().call_soon_threadsafe(callback, *arguments, context=context)
        thread = threading.current_thread()
        if isinstance(thread, _Thread):
            thread.told.set()
        return handle


class _Suspending(Coroutine[Any, Any, Any]):
    """A task's work that tells of its suspensions."""

    def __init__(self, work: Any, suspended: Callable[[str], None]) -> None:
        self._work = work
        self._suspended = suspended

    def send(self, value: Any) -> Any:
        return self._tell(self._work.send(value))

    def throw(self, *error: Any) -> Any:
        return self._tell(self._work.throw(*error))

    def _tell(self, yielded: Any) -> Any:
        self._suspended(self._work.__qualname__)
        return yielded

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield from self._work.__await__())


def cancelled_everywhere(
    when: When,
    monkeypatch: pytest.MonkeyPatch,
    story: Callable[[Act], Coroutine[Any, Any, None]],
    *,
    same: bool = True,
) -> int:
    """Tell a story over and over, cancelling what it acts at the first suspension, at the second, until it is over
    uncancelled; how many there are. Each run takes the steps of the one before, where they have to be the `same`."""
    before: list[str] = []
    for at in range(1, _MOST):
        over, trace = _told(when, monkeypatch, story, at)
        if same:
            assert trace[: at - 1] == before[: at - 1]
        if over:
            return at - 1
        assert len(trace) >= at
        before = trace
    raise AssertionError("it never ended")


def _told(
    when: When, monkeypatch: pytest.MonkeyPatch, story: Callable[[Act], Coroutine[Any, Any, None]], at: int
) -> tuple[bool, list[str]]:
    loop = _Loop(when)
    over: list[bool] = []

    async def act(work: Awaitable[Any]) -> bool:
        task = asyncio.ensure_future(work)
        loop.begin(task, at)
        await asyncio.wait((task,))
        over.append(not task.cancelled() and len(loop.trace) < at)
        if not task.cancelled():
            task.result()
        return over[-1]

    async def whole() -> None:
        async with asyncio.timeout(_SECONDS):
            await story(act)
            while loop.waiting or len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0.001)

    def thread(**options: Any) -> _Thread:
        return _Thread(loop=loop, **options)

    with monkeypatch.context() as patched, asyncio.Runner(loop_factory=lambda: loop) as runner:
        patched.setattr(steps, "threading", SimpleNamespace(Thread=thread, Event=threading.Event))
        runner.run(whole())
    (ended,) = over
    return ended, loop.trace
