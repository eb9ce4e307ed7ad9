"""The port `engine`: runs of workflows, kept until they end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable
from oneiric.flows.model import Limits, Outcome, Run, RunState, Step, StepRecord, Submission

MAX_ID = 400
"""Characters of a run's id, at most."""


class EngineFault(AdapterError):
    """Anything an engine raises by itself."""

    key = "engine"


class EngineClosed(EngineFault, Closed):
    """The engine was closed, or not started yet."""


class EngineUnavailable(EngineFault, Unavailable):
    """What keeps the runs does not answer, or not in time. A run whose `submit` raised this may be kept or not: submit
    it again under the same id."""


class EngineRefused(EngineFault, Refused):
    """The server turns this component away: its credentials, its certificate or what it may do."""


class EngineMisconfigured(EngineFault, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class UnknownRun(EngineFault, LookupError):
    """There is no run of this id."""


class InvalidRun(EngineFault, ValueError):
    """An id, payload or queue outside the limits of the port, or a step that the run does not have."""


class Caller(Protocol):
    """What makes the calls of steps: the application that an engine works for. It is told of things in its loop."""

    def begins(self, run: str) -> None:
        """A run is carried on here, from its beginning or from where it was left, before any of its steps is."""
        ...

    async def call(self, step: Step) -> Any:
        """The result of a step's call, as JSON. Raises what the component raised, or `oneiric.flows.model.Unserved`
        where nothing serves it."""
        ...


class QueueState(NamedTuple):
    """A queue as its engine has it. `waiting` and `running` are numbers of runs."""

    name: str
    paused: bool
    waiting: int
    running: int
    limits: Limits


class Engine(Protocol):
    """Keeps runs of workflows and carries them on, step by step, by the calls of whoever works for it.

    A run starts once for its id and ends once. Steps that are over are not made again, whatever happens to the process;
    one that was under way may be. A run whose call nobody serves is parked, and so is one that never gets any further.
    Runs without a queue have no limits.
    """

    async def work(self, caller: Caller, queues: Mapping[str, Limits]) -> None:
        """Take up runs in this process from now on, those that a process before left unfinished too."""
        ...

    async def rest(self) -> None:
        """Begin no run and no step any more, and wait until the steps under way are over. `work` goes on."""
        ...

    async def submit(self, submission: Submission) -> bool:
        """Keep a run, to be carried on by whoever works; whether it is new: False where there is one of that id."""
        ...

    async def result(self, run: str) -> Outcome:
        """How a run ends, once it has. Raises `UnknownRun`."""
        ...

    async def run(self, run: str) -> Run:
        """What is known of a run. Raises `UnknownRun`."""
        ...

    async def runs(
        self, *, key: str | None = None, state: RunState | None = None, queue: str | None = None, limit: int = 100
    ) -> list[Run]:
        """The runs of a key, state and queue, the newest first."""
        ...

    async def steps(self, run: str) -> list[StepRecord]:
        """The steps of a run that are over, by number. Raises `UnknownRun`."""
        ...

    async def cancel(self, run: str) -> bool:
        """End a run: its steps under way are cancelled. Whether it was not over yet. Raises `UnknownRun`."""
        ...

    async def retry(self, run: str, *, step: str | None = None) -> None:
        """Let a run that failed, was cancelled or is parked go on: from this step and all after it in the flow's order,
        else from those that failed. Raises `UnknownRun`, `InvalidRun`."""
        ...

    async def forget(self, *, run: str | None = None, before: datetime | None = None) -> int:
        """Remove a run, or all that ended before an instant; how many. Those that are not over stay."""
        ...

    async def limit(self, queue: str, limits: Limits) -> None:
        """Let a queue have other limits from now on."""
        ...

    async def pause(self, queue: str | None = None) -> None:
        """Begin no run of a queue, or of any, until `resume`, in whatever process."""
        ...

    async def resume(self, queue: str | None = None) -> None:
        """Begin runs again."""
        ...

    async def marks(self, prefix: str) -> dict[str, str]:
        """The marks whose name begins so. A mark is a text that all processes see: how far something came."""
        ...

    async def mark(self, name: str, value: str | None, *, was: str | None) -> bool:
        """Write a mark that is still as it `was`, None where there is none or is to be none; whether it was. Of several
        who try at a time one has its way. A name has at most `MAX_ID` characters."""
        ...

    async def queues(self) -> list[QueueState]:
        """The queues that were named to `work`, or have runs, by name."""
        ...


def check_submission(submission: Submission) -> None:
    """Raise `InvalidRun` unless this can be kept. For providers."""
    if not 0 < len(submission.id) <= MAX_ID or not submission.id.isprintable():
        raise InvalidRun(f"an id has 1 to {MAX_ID} printable characters: {submission.id[:40]!r} is not one")
    if submission.order is not None and submission.queue is None:
        raise InvalidRun(f"the run {submission.id} has an order and no queue that keeps it")
