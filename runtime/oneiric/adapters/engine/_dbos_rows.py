"""Rows of the engine `dbos` as the port tells them.

DBOS's documented states mean: SUCCESS a run that completed, ERROR one that failed, MAX_RECOVERY_ATTEMPTS_EXCEEDED one
that is parked.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from oneiric.adapters.engine._memory import told
from oneiric.flows.model import Limits, Run, RunState, StepError, StepRecord

PARKED = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
STATES: dict[str, RunState] = {
    "ENQUEUED": "queued",
    "DELAYED": "queued",
    "PENDING": "running",
    "SUCCESS": "completed",
    "ERROR": "failed",
    "CANCELLED": "cancelled",
    PARKED: "parked",
}


class QueueRow(NamedTuple):
    """A queue as it was named; `ordered`: some of its runs follow each other."""

    name: str
    paused: bool
    ordered: bool
    limits: Limits


def limits_text(limits: Limits) -> str:
    return msgspec.json.encode(limits).decode()


def queue_of(row: Any) -> QueueRow:
    return QueueRow(row.name, row.paused, row.ordered, msgspec.json.decode(row.limits, type=Limits))


def _instant(at: int | None) -> str | None:
    return None if at is None else told(datetime.fromtimestamp(at / 1000, UTC))


def run_of(row: Any) -> Run:
    kept = row.attributes
    submitted = kept["at"]
    state = STATES[row.status]
    begun = state not in ("queued",)
    # the clock of a database may show whole seconds: no instant stands before the one that it follows
    started = max(submitted, _instant(row.started_at_epoch_ms) or submitted) if begun else None
    ended = max(started or submitted, _instant(row.completed_at) or "") if row.completed_at is not None else None
    return Run(
        id=row.workflow_uuid,
        key=kept["key"],
        state=state,
        submitted_at=submitted,
        tenant=kept.get("tenant"),
        queue=kept.get("queue"),
        started_at=started,
        ended_at=ended if state != "parked" else None,
        why=row.why if state == "parked" else None,
        recoveries=row.recoveries or 0,
    )


def step_of(row: Any) -> StepRecord:
    kept: Any = msgspec.json.decode(row.output or row.error)
    error: StepError | None = kept.get("failed")
    return StepRecord(
        number=row.function_id - 1,
        name=row.function_name,
        state="failed" if error else "completed",
        started_at=_instant(row.started_at_epoch_ms),
        ended_at=_instant(row.completed_at_epoch_ms),
        error=error,
    )
