"""Processes that fire the same schedules by a clock that runs fast, some of which are killed.

`python -m tests.unit.events.ticking FOLDER NIGHTS PROCESSES KILLS SECONDS` for a longer one. The clock goes through a
night in which zones skip an hour and one in which they have it twice; in the end each tick was submitted once.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from oneiric.adapters.engine import UnknownRun
from oneiric.engines import firing, schedules
from oneiric.flows.model import Run
from oneiric.flows.ticks import schedule_of, ticks_after
from oneiric.host import Host
from oneiric.slot import Deadlines
from oneiric.wiring import Domain, Wiring

from tests.unit.events.recording import Recording

ZONES = {"berlin": "Europe/Berlin", "york": "America/New_York", "howe": "Australia/Lord_Howe"}
NIGHTS = (
    "2026-03-28T12:00", "2026-10-24T12:00",
    "2026-03-07T12:00", "2026-04-04T00:00", "2026-10-03T00:00", "2026-10-31T12:00",
)  # fmt: skip
"""A day and a half from each of these has a night of a change in one of the zones."""
LENGTH = timedelta(hours=36)
SCHEDULES: dict[str, Any] = {
    f"{name}-{kind}": {"cron": cron, "zone": zone, "call": "task:report", "misfire": "all", "overlap": "skip"}
    for name, zone in ZONES.items()
    for kind, cron in {"nightly": "30 2 * * *", "early": "45 1 * * *", "hourly": "15 * * * *"}.items()
}


class Clock(NamedTuple):
    """It was `start` at the instant `began` (of the real clock), and goes `speed` times as fast."""

    start: float
    began: float
    speed: float

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.start + (time.time() - self.began) * self.speed, UTC)


class SharedEngine(Recording):
    """Runs and marks in a file; a run is over as soon as it is submitted."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._connection.execute("CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value TEXT)")

    @property
    def engine(self) -> SharedEngine:
        return self

    async def marks(self, prefix: str) -> dict[str, str]:
        found = self._connection.execute("SELECT name, value FROM marks ORDER BY name").fetchall()
        return {name: value for name, value in found if name.startswith(prefix)}

    async def mark(self, name: str, value: str | None, *, was: str | None) -> bool:
        if value is None:
            return bool(
                self._connection.execute("DELETE FROM marks WHERE name = ? AND value = ?", (name, was)).rowcount
            )
        if was is not None:
            done = self._connection.execute(
                "UPDATE marks SET value = ? WHERE name = ? AND value = ?", (value, name, was)
            )
            return done.rowcount == 1
        try:
            self._connection.execute("INSERT INTO marks VALUES (?, ?)", (name, value))
        except sqlite3.IntegrityError:
            return False
        return True

    async def run(self, run: str) -> Run:
        if self._connection.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is None:
            raise UnknownRun(run)
        return Run(run, "task:report", "completed", "")


def host() -> Host:
    wiring: Any = type("Made", (Wiring,), {}, app="shop")
    wiring.domains(tasks=type("Tasks", (Domain,), {"__schedules__": SCHEDULES}))
    return Host(wiring, {}, {}, Deadlines(), None, 60.0, "error", None)


async def fire(folder: Path, clock: Clock) -> None:
    """Be one of the processes, until the clock has gone far enough."""
    work = SharedEngine(folder / "runs")
    firing.work_of = schedules.work_of = lambda scope: work  # type: ignore[assignment]
    end = datetime.fromtimestamp(clock.start, UTC) + LENGTH
    schedules.now = lambda: min(clock.now(), end)  # it stands still while the process ends
    schedules._OFTEN, schedules._LEAST = 0.02, 0.002
    engine = schedules.Schedules(host(), "tasks")
    await engine.start()
    while clock.now() < end:
        await asyncio.sleep(0.01)
    await engine.stop()


def campaign(folder: Path, *, nights: int, processes: int, kills: int, seconds: float) -> int:
    """Go through some nights, each in so many seconds; how many ticks there were."""
    begun = [(folder / str(number), NIGHTS[number % len(NIGHTS)]) for number in range(nights)]
    return sum(_night(place, night, processes, kills, seconds) for place, night in begun)


def _night(folder: Path, night: str, processes: int, kills: int, seconds: float) -> int:
    folder.mkdir()
    start = datetime.fromisoformat(night).replace(tzinfo=UTC)
    seen = SharedEngine(folder / "runs")
    firing.work_of = lambda scope: seen  # type: ignore[assignment]
    asyncio.run(_look(start))
    clock = Clock(start.timestamp(), time.time() + 0.5, LENGTH.total_seconds() / seconds)
    arguments = [sys.executable, "-m", __name__, str(folder), json.dumps(clock)]
    found = [subprocess.Popen(arguments) for _ in range(processes)]
    try:
        for victim in random.sample(found, kills):
            time.sleep((0.5 + seconds) * random.random() / max(kills, 1))
            victim.send_signal(signal.SIGKILL)
        for each in found:
            each.wait(timeout=seconds * 4 + 30)
    finally:
        for each in found:
            each.kill()
    end = start + LENGTH
    asyncio.run(_look(end))
    ids = [each.id for each in seen.runs()]
    assert sorted(ids) == sorted(_wanted(start, end))
    return len(ids)


def _wanted(start: datetime, end: datetime) -> set[str]:
    found: set[str] = set()
    for name, stated in SCHEDULES.items():
        for tick in ticks_after(schedule_of(stated), start):
            if tick > end:
                break
            found.add(f"schedule/{name}/{tick:%Y-%m-%dT%H:%M:%SZ}")
    return found


async def _look(now: datetime) -> None:
    fires = firing.Firing(host())
    await fires.look(await fires.plans(), now)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        asyncio.run(fire(Path(sys.argv[1]), Clock(*json.loads(sys.argv[2]))))
    else:
        place, nights, many, killed, length = sys.argv[1:]
        count = campaign(Path(place), nights=int(nights), processes=int(many), kills=int(killed), seconds=float(length))
        sys.stdout.write(f"{count} ticks, each once\n")
