"""An engine's intake that several processes share: what was submitted, kept in a file, each id once."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from oneiric.flows.model import Flow, Submission


class Recorded(NamedTuple):
    """A run that was submitted, in the order of submissions."""

    id: str
    payload: Any
    order: str | None
    tenant: str | None


class Recording:
    """What `work_of` gives in these tests. The next submissions raise what is in `faults`, one each, but for None."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        self._connection.execute("PRAGMA journal_mode = wal")
        self._connection.execute("PRAGMA synchronous = off")  # processes die here, the machine does not
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS runs (number INTEGER PRIMARY KEY, id TEXT UNIQUE, payload TEXT, ordering TEXT, "
            "tenant TEXT)"
        )
        self.faults: list[Exception | None] = []
        self.users = 0

    async def begin(self, user: object) -> None:
        self.users += 1

    async def end(self, user: object) -> None:
        self.users -= 1

    async def submit(self, submission: Submission) -> bool:
        if self.faults and (fault := self.faults.pop(0)) is not None:
            raise fault
        values = (submission.id, json.dumps(submission.payload), submission.order, submission.tenant)
        done = self._connection.execute(
            "INSERT OR IGNORE INTO runs (id, payload, ordering, tenant) VALUES (?, ?, ?, ?)", values
        )
        return done.rowcount == 1

    def flow_of(self, key: str, tenant: str | None) -> Flow:
        return {"key": key, "nodes": {}, "queue": "orders"}

    def runs(self) -> list[Recorded]:
        rows = self._connection.execute("SELECT id, payload, ordering, tenant FROM runs ORDER BY number")
        return [Recorded(id, json.loads(payload), order, tenant) for id, payload, order, tenant in rows]


def recording(path: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    """Have durable deliveries submitted to a file."""
    found = Recording(path)
    for module in ("emitting", "events"):
        monkeypatch.setattr(f"oneiric.engines.{module}.work_of", lambda scope: found)
    return found
