"""How far a schedule came: what all processes that fire it go by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from oneiric.envelope import instant


class Mark(NamedTuple):
    """A schedule under its `timing`. `newest` is the newest tick that is handled, at first the instant that it was
    first seen; `runs` were begun, `dropped` were not. Of those `pending` it is settled that they run, `active` were
    submitted and not seen to be over, and `waiting` waits for these."""

    timing: str
    newest: datetime
    runs: int = 0
    dropped: int = 0
    pending: tuple[datetime, ...] = ()
    active: tuple[datetime, ...] = ()
    waiting: datetime | None = None

    def text(self) -> str:
        """As it is kept."""
        return json.dumps(
            {
                "timing": self.timing,
                "newest": instant(self.newest),
                "runs": self.runs,
                "dropped": self.dropped,
                "pending": [instant(each) for each in self.pending],
                "active": [instant(each) for each in self.active],
                "waiting": None if self.waiting is None else instant(self.waiting),
            }
        )


def mark_of(text: str | None, timing: str) -> Mark | None:
    """What was kept of a schedule; None of one that was never seen, or whose timing was another."""
    if text is None:
        return None
    found: dict[str, Any] = json.loads(text)
    if found["timing"] != timing:
        return None
    waiting = found["waiting"]
    return Mark(
        timing,
        datetime.fromisoformat(found["newest"]),
        found["runs"],
        found["dropped"],
        _instants(found["pending"]),
        _instants(found["active"]),
        None if waiting is None else datetime.fromisoformat(waiting),
    )


def _instants(texts: Sequence[str]) -> tuple[datetime, ...]:
    return tuple(datetime.fromisoformat(each) for each in texts)
