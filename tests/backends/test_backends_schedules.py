"""Schedules on a PostgreSQL server: once over several processes, some of which are killed."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.backends.harness.servers import Address
from tests.backends.scheduling import done, look, wanted
from tests.unit.events.restoring import restored as restored  # a fixture
from tests.unit.events.ticking import LENGTH, Clock

NIGHT = datetime(2026, 10, 24, 12, tzinfo=UTC)
"""Before the night in which Berlin has an hour twice."""
SECONDS = 4.0


@pytest.fixture(name="database")
def a_database(postgres: Address) -> Iterator[str]:
    server = f"postgresql://postgres@{postgres.host}:{postgres.port}"
    name = f"oneiric_{uuid4().hex[:12]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        yield f"{server}/{name}"
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_each_tick_once_by_three_processes_of_which_two_are_killed(database: str, tmp_path: Path) -> None:
    path = str(tmp_path / "done.db")
    ticks = wanted(NIGHT, NIGHT + LENGTH)
    assert "schedule/berlin-nightly/2026-10-25T00:30:00Z" in ticks
    asyncio.run(asyncio.wait_for(look(database, path, NIGHT, set()), 60))
    clock = Clock(NIGHT.timestamp(), time.time() + 2.0, LENGTH.total_seconds() / SECONDS)
    arguments = [sys.executable, "-m", "tests.backends.scheduling", database, path, json.dumps(clock)]
    processes = [subprocess.Popen(arguments) for _ in range(3)]
    try:
        for victim in processes[:2]:
            time.sleep(2.0)
            victim.send_signal(signal.SIGKILL)
        for each in processes:
            each.wait(timeout=90)
    finally:
        for each in processes:
            each.kill()
    asyncio.run(asyncio.wait_for(look(database, path, NIGHT + LENGTH, ticks), 90))
    assert sorted(set(done(path))) == sorted(f"{each}/call" for each in ticks)
