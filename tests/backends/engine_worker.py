"""A process that carries runs on, for tests that kill and freeze it.

`python -m tests.backends.engine_worker PLACE LOG`: PLACE is a file, or a URL of PostgreSQL; a line of LOG is
`begin TOKEN PID` or `end TOKEN PID`. A step named `poison` ends the process.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

from oneiric.adapters.engine.dbos import DbosEngine
from oneiric.flows.model import Limits, Step

QUEUES = {"q": Limits(at_once=20)}


def engine_of(place: str) -> DbosEngine:
    if place.startswith("postgresql:"):
        return DbosEngine(url=place, poll=0.05, silence=2.0)
    return DbosEngine(path=Path(place), poll=0.05)


class Logged:
    """Makes steps that take a while, and writes down when."""

    def __init__(self, log: str) -> None:
        self._file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def begins(self, run: str) -> None:
        pass

    async def call(self, step: Step) -> Any:
        self._write("begin", step)
        if step.name == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(random.uniform(0.0, 0.03))
        self._write("end", step)
        return {"token": step.token}

    def _write(self, what: str, step: Step) -> None:
        os.write(self._file, f"{what} {step.token} {os.getpid()}\n".encode())


async def main(place: str, log: str) -> None:
    logging.basicConfig(level=logging.WARNING)
    engine = engine_of(place)
    await engine.start()
    await engine.work(Logged(log), QUEUES)
    sys.stdout.write("works\n")
    sys.stdout.flush()
    await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
