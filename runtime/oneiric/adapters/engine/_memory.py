"""Runs in memory and the queues that they wait in: what the engine `inline` is made of."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from oneiric.adapters.engine import InvalidRun
from oneiric.flows.model import ENDED, Limits, Outcome, Run, RunState, StepFailed, StepRecord, Submission


def told(instant: datetime) -> str:
    """An instant as text: UTC, in ISO 8601 with `Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Kept:
    """A run; `results` are what its steps came to by their number, a `StepFailed` where that was no result."""

    __slots__ = ("ended", "ended_at", "results", "started_at", "state", "submission", "submitted_at", "task", "why")

    def __init__(self, submission: Submission) -> None:
        self.submission = submission
        self.state: RunState = "queued"
        self.why: str | None = None
        self.submitted_at = told(datetime.now(UTC))
        self.started_at: str | None = None
        self.ended_at: str | None = None
        self.results: dict[int, tuple[StepRecord, Any]] = {}
        self.task: asyncio.Task[None] | None = None
        self.ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    @property
    def is_over(self) -> bool:
        return self.state in ENDED

    def told(self) -> Run:
        """What is known of it."""
        submission = self.submission
        return Run(
            id=submission.id,
            key=submission.flow["key"],
            state=self.state,
            submitted_at=self.submitted_at,
            tenant=submission.tenant,
            queue=submission.queue,
            started_at=self.started_at,
            ended_at=self.ended_at,
            why=self.why,
        )

    def end(self, outcome: Outcome) -> None:
        """It is over."""
        self.state, self.why = outcome["state"], None
        self.ended_at = told(datetime.now(UTC))
        self.ended.set_result(outcome)

    def park(self, why: str) -> None:
        """It waits for somebody to try it again."""
        self.state, self.why = "parked", why

    def again(self, step: str | None) -> None:
        """Let it go on: from a step, else from those that failed. Raises `InvalidRun`."""
        first = None
        if step is not None:
            first = next((number for number, (record, _) in self.results.items() if record.name == step), None)
            if first is None:
                raise InvalidRun(f"the run {self.submission.id} has not made a step {step}", provider="inline")
        self.results = {
            number: kept
            for number, kept in self.results.items()
            if (number < first if first is not None else not isinstance(kept[1], StepFailed))
        }
        self.state, self.why, self.ended_at = "queued", None, None
        if self.ended.done():
            self.ended = asyncio.get_running_loop().create_future()


class Waiting:
    """A queue: the runs that wait in it, in order, and when the next one may begin."""

    def __init__(self) -> None:
        self.limits = Limits()
        self.paused = False
        self.running = 0
        self._runs: deque[Kept] = deque()
        self._orders: set[str] = set()  # those of runs under way
        self._begun: deque[float] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, kept: Kept) -> None:
        self._runs.append(kept)

    def drop(self, kept: Kept) -> None:
        if kept in self._runs:
            self._runs.remove(kept)

    def next(self, look_again: Callable[[], None]) -> Kept | None:
        """The run that may begin now, which counts as under way; where only time is in the way, `look_again` is called
        when it is not."""
        at_once, here, rate = self.limits
        if self.paused or any(most is not None and self.running >= most for most in (at_once, here)):
            return None
        now = asyncio.get_running_loop().time()
        if rate is not None and (wait := self._wait(now, *rate)) > 0:
            self._again(wait, look_again)
            return None
        held, at = set(self._orders), told(datetime.now(UTC))
        for kept in self._runs:
            order, later = kept.submission.order, kept.submission.not_before
            if order in held:
                continue
            if later is not None and later > at:
                self._again((datetime.fromisoformat(later) - datetime.now(UTC)).total_seconds(), look_again)
                held |= {order} if order is not None else set()
                continue
            return self._begin(kept, now)
        return None

    def over(self, kept: Kept) -> None:
        """A run that had begun is over, or parked."""
        self.running -= 1
        self._orders.discard(kept.submission.order or "")

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _begin(self, kept: Kept, now: float) -> Kept:
        self._runs.remove(kept)
        self.running += 1
        if self.limits.rate is not None:
            self._begun.append(now)
        if kept.submission.order:
            self._orders.add(kept.submission.order)
        return kept

    def _wait(self, now: float, most: int, seconds: float) -> float:
        """Seconds until another run may begin by the rate."""
        while self._begun and self._begun[0] <= now - seconds:
            self._begun.popleft()
        return 0.0 if len(self._begun) < most else self._begun[0] + seconds - now

    def _again(self, seconds: float, look_again: Callable[[], None]) -> None:
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(max(seconds, 0.001), look_again)
