"""An application with schedules on a PostgreSQL server, in processes whose clock runs fast.

Its task writes down under its token that it ran. Run as `python -m tests.backends.scheduling URL FILE CLOCK`, it is one
of the processes.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from datetime import UTC, datetime
from typing import Any, Protocol

import oneiric
from oneiric import Runtime
from oneiric.adapters.engine.dbos import DbosEngine
from oneiric.declared import work_of
from oneiric.engines import schedules
from oneiric.flows.ticks import schedule_of, ticks_after
from oneiric.runtime import host_of
from oneiric.wiring import Domain, Wiring, bind

from tests.unit.events.ticking import LENGTH, ZONES, Clock

SCHEDULES: dict[str, Any] = {
    f"{name}-{kind}": {
        "cron": cron,
        "zone": zone,
        "call": "task:report",
        "with": {"at": "${tick.at}"},
        "misfire": "all",
        "overlap": "queue",  # the clock is so fast that the run of a killed process may be resumed after the next tick
    }
    for name, zone in ZONES.items()
    for kind, cron in {"nightly": "30 2 * * *", "early": "45 1 * * *"}.items()
}


class Report(Protocol):
    async def __call__(self, *, at: str) -> None: ...


class Writer:
    """Writes each token down, as often as it is called with it."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        self._connection.execute("CREATE TABLE IF NOT EXISTS done (token TEXT)")

    async def __call__(self, *, at: str) -> None:
        self._connection.execute("INSERT INTO done VALUES (?)", (oneiric.token(),))


def application(url: str, path: str) -> Runtime[Any]:
    tasks: dict[str, Any] = {
        "__engine__": "oneiric.engines.schedules:Schedules",
        "__schedules__": SCHEDULES,
        "report": bind("task:report", "f", provider="it", port=f"{Report.__module__}:Report")(lambda _: Writer(path)),
    }
    engine = bind("adapter:engine", "f", provider="dbos", port="oneiric.adapters.engine:Engine")(
        lambda _: DbosEngine(url=url, poll=0.1, silence=2.0)
    )
    wiring: Any = type("Made", (Wiring,), {}, app="shop")
    wiring.domains(adapters=type("Adapters", (Domain,), {"engine": engine}), tasks=type("Tasks", (Domain,), tasks))
    return Runtime(wiring)


async def look(url: str, path: str, now: datetime, wanted: set[str]) -> None:
    """Be there at an instant, until these runs are over."""
    schedules.now = lambda: now
    async with application(url, path) as runtime:
        engine = work_of(host_of(runtime).base).engine
        while len(await engine.marks("schedule/")) < len(SCHEDULES):
            await asyncio.sleep(0.05)
        while not wanted <= {each.id for each in await engine.runs(state="completed", limit=1000)}:
            await asyncio.sleep(0.1)


async def fire(url: str, path: str, clock: Clock) -> None:
    """Be one of the processes, until the clock has gone far enough."""
    end = datetime.fromtimestamp(clock.start, UTC) + LENGTH
    schedules.now = lambda: min(clock.now(), end)  # it stands still while the process ends
    schedules._OFTEN, schedules._LEAST = 0.2, 0.02
    async with application(url, path):
        while clock.now() < end:
            await asyncio.sleep(0.05)


def wanted(start: datetime, end: datetime) -> set[str]:
    """The runs of the ticks after an instant, up to another."""
    found: set[str] = set()
    for name, stated in SCHEDULES.items():
        for tick in ticks_after(schedule_of(stated), start):
            if tick > end:
                break
            found.add(f"schedule/{name}/{tick:%Y-%m-%dT%H:%M:%SZ}")
    return found


def done(path: str) -> list[str]:
    """The tokens that were written down, in order."""
    with sqlite3.connect(path) as connection:
        return sorted(token for (token,) in connection.execute("SELECT token FROM done"))


if __name__ == "__main__":
    place, file, text = sys.argv[1:]
    asyncio.run(fire(place, file, Clock(*json.loads(text))))
