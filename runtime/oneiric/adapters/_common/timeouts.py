"""Timeouts of calls, for less than a timer of the loop and two coroutines each, as `asyncio.timeout` takes."""

from __future__ import annotations

import asyncio
from math import inf
from types import TracebackType
from typing import Self


class Timeouts:
    """Blocks that end as those of `asyncio.timeout_at`, of one loop, with one timer for all of them.

    What is under way can also be ended before its time.
    """

    def __init__(self) -> None:
        self.under_way: dict[Timeout, float] = {}
        self.next = inf
        self._timer: asyncio.Handle | None = None

    def within(self, seconds: float) -> Timeout:
        """A block that is over in so many seconds."""
        return Timeout(self, asyncio.get_running_loop().time() + seconds)

    def look_until(self, deadline: float) -> None:
        """Set the timer to this deadline, the next one. It stays when that block is over: another may want it."""
        if self._timer is not None:
            self._timer.cancel()
        self.next = deadline
        self._timer = asyncio.get_running_loop().call_at(deadline, self._end_until, deadline)

    def end_all(self) -> None:
        """Let every timeout be over, from the loop's next turn on."""
        if self._timer is not None:
            self._timer.cancel()
        self.next = -inf
        self._timer = asyncio.get_running_loop().call_soon(self._end_until, inf)

    def _end_until(self, when: float) -> None:
        self.next, self._timer = inf, None
        for block in [block for block, deadline in self.under_way.items() if deadline <= when]:
            block.end()
        if (deadline := min(self.under_way.values(), default=inf)) < inf:
            self.look_until(deadline)


class Timeout:
    """A block out of which `TimeoutError` comes when it is not over at this time of the loop's clock."""

    __slots__ = ("_asked", "_deadline", "_is_over", "_task", "_timeouts")

    def __init__(self, timeouts: Timeouts, deadline: float) -> None:
        self._timeouts = timeouts
        self._deadline = deadline
        self._is_over = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None, "only tasks have timeouts"
        self._task = task
        self._asked = task.cancelling()
        timeouts = self._timeouts
        timeouts.under_way[self] = self._deadline
        if self._deadline < timeouts.next:
            timeouts.look_until(self._deadline)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_over:
            del self._timeouts.under_way[self]
        elif self._task.uncancel() <= self._asked and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def move(self, deadline: float) -> None:
        """Give the block until then, which may be `inf`, if somebody is in it still."""
        if self in self._timeouts.under_way:
            self._timeouts.under_way[self] = deadline
            if deadline < self._timeouts.next:
                self._timeouts.look_until(deadline)

    def end(self) -> None:
        """Interrupt the block, which somebody is in, unless that is done already."""
        if not self._is_over:
            del self._timeouts.under_way[self]
            self._is_over = True
            self._task.cancel()
