"""The history of a process as one document: told by it, or read from its state folder when it is gone."""

from __future__ import annotations

from typing import Any

from oneiric.reload.outcome import Overrides
from oneiric.reload.state import Record

FORMAT = "oneiric.history/1"


def history_of(record: Record) -> dict[str, Any]:
    """The generations that a process has, the current one first, and the changes of it, the latest first."""
    return {
        "format": FORMAT,
        "deployed": record.deployed,
        "generations": [
            {
                "generation": digest,
                **record.origin(digest)._asdict(),
                "overrides": record.overrides.get(digest, Overrides()).document(),
            }
            for digest in (record.generation, *record.previous)
        ],
        "changes": [dict(change) for change in reversed(record.changes)],
    }
