"""Engine provider `inline`: runs in this process, gone when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from oneiric import component
from oneiric.adapters.engine import (
    Caller,
    EngineClosed,
    EngineMisconfigured,
    InvalidRun,
    QueueState,
    UnknownRun,
    check_submission,
)
from oneiric.adapters.engine._memory import Kept, Waiting, told
from oneiric.flows.attempts import attempted
from oneiric.flows.interpreter import interpret
from oneiric.flows.model import (
    Limits,
    Outcome,
    Run,
    RunState,
    Step,
    StepFailed,
    StepRecord,
    Submission,
    Unserved,
)


@component(
    "adapter",
    "engine",
    provider="inline",
    priority=0,
    stack_level=-15,
    capabilities=("limits", "order"),
    port="oneiric.adapters.engine:Engine",
)
class InlineEngine:
    """Keeps runs in memory and carries them on in the loop of the application: for tests, and for what may be lost.

    `keep`: how many runs that are over are remembered; the oldest go first.
    """

    def __init__(self, *, keep: int = 1000) -> None:
        if keep < 1:
            raise EngineMisconfigured(f"{keep} is below 1", provider="inline", setting="keep")
        self._keep = keep
        self._runs: dict[str, Kept] = {}
        self._queues: dict[str | None, Waiting] = {}
        self._marks: dict[str, str] = {}
        self._caller: Caller | None = None
        self._paused = False
        self._closed = False
        self._resting = asyncio.Event()
        self._under_way: set[asyncio.Future[Any]] = set()

    async def health(self) -> bool:
        return not self._closed

    async def aclose(self) -> None:
        self._closed = True
        self._caller = None
        for queue in self._queues.values():
            queue.stop()
        tasks = [kept.task for kept in self._runs.values() if kept.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for kept in self._runs.values():
            kept.ended.cancel()

    async def work(self, caller: Caller, queues: Mapping[str, Limits]) -> None:
        self._refuse_when_closed()
        for name, limits in queues.items():
            self._queue(name).limits = limits
        self._caller = caller
        self._resting.set()
        self._begin()

    async def rest(self) -> None:
        self._caller = None
        self._resting.clear()
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def submit(self, submission: Submission) -> bool:
        self._refuse_when_closed()
        check_submission(submission)
        if submission.id in self._runs:
            return False
        kept = self._runs[submission.id] = Kept(submission)
        self._queue(submission.queue).add(kept)
        self._begin()
        return True

    async def result(self, run: str) -> Outcome:
        kept = self._kept(run)
        try:
            return await asyncio.shield(kept.ended)
        except asyncio.CancelledError:
            if self._closed:
                raise EngineClosed("the engine was closed before the run was over", provider="inline") from None
            raise

    async def run(self, run: str) -> Run:
        return self._kept(run).told()

    async def runs(
        self, *, key: str | None = None, state: RunState | None = None, queue: str | None = None, limit: int = 100
    ) -> list[Run]:
        self._refuse_when_closed()
        found = (kept.told() for kept in reversed(self._runs.values()))
        wanted = {"key": key, "state": state, "queue": queue}
        matching = (each for each in found if all(v is None or getattr(each, n) == v for n, v in wanted.items()))
        return [each for each, _ in zip(matching, range(limit), strict=False)]

    async def steps(self, run: str) -> list[StepRecord]:
        return [record for _, (record, _) in sorted(self._kept(run).results.items())]

    async def cancel(self, run: str) -> bool:
        kept = self._kept(run)
        if kept.is_over:
            return False
        self._queue(kept.submission.queue).drop(kept)
        if kept.task is not None:
            kept.task.cancel()
            await asyncio.wait((kept.task,))
        if not kept.is_over:
            kept.end({"state": "cancelled", "result": None, "errors": [], "nodes": {}})
        self._begin()
        return True

    async def retry(self, run: str, *, step: str | None = None) -> None:
        kept = self._kept(run)
        if kept.state in ("queued", "running") or (kept.state == "completed" and step is None):
            raise InvalidRun(f"the run {run} is {kept.state}: there is nothing to try again", provider="inline")
        kept.again(step)
        self._queue(kept.submission.queue).add(kept)
        self._begin()

    async def forget(self, *, run: str | None = None, before: datetime | None = None) -> int:
        found = [self._kept(run)] if run is not None else list(self._runs.values())
        until = None if before is None else told(before)
        over = [kept for kept in found if kept.is_over and (until is None or (kept.ended_at or "") < until)]
        for kept in over:
            del self._runs[kept.submission.id]
        return len(over)

    async def limit(self, queue: str, limits: Limits) -> None:
        self._refuse_when_closed()
        self._queue(queue).limits = limits
        self._begin()

    async def pause(self, queue: str | None = None) -> None:
        self._refuse_when_closed()
        if queue is None:
            self._paused = True
        else:
            self._queue(queue).paused = True

    async def resume(self, queue: str | None = None) -> None:
        self._refuse_when_closed()
        if queue is None:
            self._paused = False
        else:
            self._queue(queue).paused = False
        self._begin()

    async def marks(self, prefix: str) -> dict[str, str]:
        self._refuse_when_closed()
        return {name: value for name, value in sorted(self._marks.items()) if name.startswith(prefix)}

    async def mark(self, name: str, value: str | None, *, was: str | None) -> bool:
        self._refuse_when_closed()
        if self._marks.get(name) != was:
            return False
        if value is None:
            self._marks.pop(name, None)
        else:
            self._marks[name] = value
        return True

    async def queues(self) -> list[QueueState]:
        self._refuse_when_closed()
        return [
            QueueState(name, self._paused or queue.paused, len(queue), queue.running, queue.limits)
            for name, queue in sorted((name, each) for name, each in self._queues.items() if name is not None)
        ]

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise EngineClosed("the engine is closed", provider="inline")

    def _kept(self, run: str) -> Kept:
        self._refuse_when_closed()
        if run not in self._runs:
            raise UnknownRun(f"there is no run {run}", provider="inline")
        return self._runs[run]

    def _queue(self, name: str | None) -> Waiting:
        return self._queues.setdefault(name, Waiting())

    def _begin(self) -> None:
        """Begin all runs that may begin now."""
        if self._caller is None or self._paused:
            return
        for queue in list(self._queues.values()):
            while (kept := queue.next(self._begin)) is not None:
                kept.state, kept.started_at = "running", kept.started_at or told(datetime.now(UTC))
                kept.task = asyncio.ensure_future(self._carry_on(queue, kept))

    async def _carry_on(self, queue: Waiting, kept: Kept) -> None:
        """A run, until it is over or parked."""

        async def perform(step: Step) -> Any:
            if step.number not in kept.results:
                kept.results[step.number] = await self._performed(step)
            _, result = kept.results[step.number]
            if isinstance(result, StepFailed):
                raise result
            return result

        if self._caller is not None:
            self._caller.begins(kept.submission.id)
        try:
            kept.end(await interpret(kept.submission, perform))
        except Unserved as error:
            kept.park(str(error))
        finally:
            kept.task = None
            queue.over(kept)
            self._forget_oldest()
            self._begin()

    async def _performed(self, step: Step) -> tuple[StepRecord, Any]:
        """A step that was made, and its result or error."""
        await self._resting.wait()
        begun, error = told(datetime.now(UTC)), None
        caller = self._caller
        assert caller is not None
        made = asyncio.ensure_future(attempted(step, lambda: caller.call(step)))
        self._under_way.add(made)
        made.add_done_callback(self._under_way.discard)
        try:
            result: Any = await made
        except StepFailed as failed:
            error, result = failed.told(step.name), failed
        end = told(datetime.now(UTC))
        return StepRecord(step.number, step.name, "failed" if error else "completed", begun, end, error), result

    def _forget_oldest(self) -> None:
        over = [name for name, kept in self._runs.items() if kept.is_over]
        for name in over[: max(len(over) - self._keep, 0)]:
            del self._runs[name]
