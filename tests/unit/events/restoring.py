"""What processes of tests replace of the engines for good is put back, where such a process is that of the tests."""

from __future__ import annotations

import pytest
from oneiric.engines import emitting, events, firing, schedules


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (emitting, events, firing, schedules):
        for name in ("work_of", "now", "_OFTEN", "_LEAST"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, getattr(module, name))
