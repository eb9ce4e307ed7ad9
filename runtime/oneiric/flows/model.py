"""What a workflow is made of, what a run of it is, and how that may end.

A `Flow` is JSON: it stands in the report and the wiring, and is kept with each run of it, so that a run goes on as it
began whatever is deployed meanwhile. Durations are seconds, instants UTC in ISO 8601 with `Z`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Required, TypeAlias, TypedDict

from oneiric.errors import OneiricError

Condition: TypeAlias = Mapping[str, Any]
"""`{path: …, equals | any_of | above | below | exists | matches: …}`, `{any: [Condition, …]}` or `{not: Condition}`;
that of an event may have `envelope: ATTRIBUTE` in the place of `path`."""
RunState: TypeAlias = Literal["queued", "running", "completed", "failed", "cancelled", "parked"]
"""A run that is `parked` waits for an operator: what it calls is not served, or it never gets any further."""
ENDED: frozenset[RunState] = frozenset(("completed", "failed", "cancelled"))
MAX_VALUE = 16 * 1024 * 1024
"""Bytes of a value that is kept, as JSON, at most."""


class Retry(TypedDict):
    """`attempts` counts calls. The wait after the nth failed one is `delay` doubled n-1 times, at most `max`; of it a
    random part is left out, at most the share `jitter`."""

    attempts: int
    delay: float
    max: float
    jitter: float


ONCE: Retry = {"attempts": 1, "delay": 1.0, "max": 60.0, "jitter": 0.25}

Node = TypedDict(
    "Node",
    {
        "call": Required[str],
        "after": Required[Sequence[str]],
        "with": Mapping[str, Any],
        "when": Sequence[Condition],
        "for_each": str,
        "most": int,
        "at_once": int,
        "retry": Retry,
        "timeout": float,
        "on_error": Literal["fail", "continue"],
    },
    total=False,
)
"""One node. `call` is `DOMAIN:KEY` or `DOMAIN:KEY#method`; `after` are the nodes that have to be over, in the flow's
order; `with` is a template; `for_each` refers to a list of at most `most` items, `at_once` of them at a time."""


class Flow(TypedDict, total=False):
    """One workflow, checked: `nodes` stand in its order, by level and then as declared. `result` is a template."""

    key: Required[str]
    nodes: Required[Mapping[str, Node]]
    result: Any
    steps: Literal["current", "pinned"]
    start_when: Literal["dependencies", "level"]
    queue: str


class Submission(NamedTuple):
    """A run that is asked for. Those of one queue and `order` run one at a time, in the order they were submitted."""

    id: str
    flow: Flow
    payload: Mapping[str, Any]
    tenant: str | None = None
    queue: str | None = None
    generation: str | None = None
    order: str | None = None
    not_before: str | None = None


class Step(NamedTuple):
    """One call of a run. Its `number` is the same whenever and wherever the run goes on; `generation` is that of a run
    whose steps are pinned to it."""

    run: str
    number: int
    name: str
    call: str
    payload: Mapping[str, Any]
    retry: Retry = ONCE
    timeout: float | None = None
    tenant: str | None = None
    generation: str | None = None

    @property
    def token(self) -> str:
        """What tells this call from every other, the same each time it is made: an idempotency key."""
        return f"{self.run}/{self.name}"


class StepError(TypedDict):
    """Why a node failed: the class of the error and its text."""

    node: str
    type: str
    message: str
    attempts: int


class NodeState(TypedDict):
    """How a node ended. `pending` are those that never began."""

    state: Literal["completed", "failed", "skipped", "pending"]


class Outcome(TypedDict):
    """How a run ended; its errors are in the flow's order."""

    state: Literal["completed", "failed", "cancelled"]
    result: Any
    errors: list[StepError]
    nodes: dict[str, NodeState]


class Run(NamedTuple):
    """What is known of a run; `why` says of a parked one what keeps it."""

    id: str
    key: str
    state: RunState
    submitted_at: str
    tenant: str | None = None
    queue: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    why: str | None = None
    recoveries: int = 0


class StepRecord(NamedTuple):
    """What is known of a step of a run."""

    number: int
    name: str
    state: Literal["completed", "failed"]
    started_at: str | None = None
    ended_at: str | None = None
    error: StepError | None = None


class Limits(NamedTuple):
    """How many runs of a queue may be under way, in all processes and in this one; `rate` is how many may begin in so
    many seconds. None: no limit."""

    at_once: int | None = None
    at_once_here: int | None = None
    rate: tuple[int, float] | None = None


class StepFailed(OneiricError):
    """A step came to no result: `type` and `message` are of the error of its last attempt."""

    def __init__(self, name: str, type: str, message: str, attempts: int) -> None:
        self.name = name
        self.type = type
        self.message = message
        self.attempts = attempts
        super().__init__(f"{name} failed at attempt {attempts}: {type}: {message}")

    def told(self, node: str) -> StepError:
        """The error as the outcome of its run says it."""
        return {"node": node, "type": self.type, "message": self.message, "attempts": self.attempts}


class Unserved(OneiricError):
    """Nothing serves what a step calls, or its tenant is not known: its run is parked until that is different."""
