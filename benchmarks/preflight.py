"""What an environment lacks of all that a project's keys want: `Runtime.preflight()` beside reading the report."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from oneiric import Runtime, Wiring

from benchmarks.command import main
from benchmarks.measure import by_turns
from benchmarks.projects import compile_project, wiring_of, write_project
from benchmarks.table import Row, Table

KEYS, SHORT_KEYS = 10_000, 1_000
ROUNDS, SHORT_ROUNDS = 21, 5


def tables(short: bool) -> Iterator[Table]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = write_project(folder, (SHORT_KEYS if short else KEYS) * 3 // 2)
        compile_project(folder)
        tried, read = _trying(wiring_of(folder)), _reading(folder / "generated/explain.json")
        tried()  # so that every module that it takes is there
        floor, measured = by_turns(SHORT_ROUNDS if short else ROUNDS, read, tried)
    rows = [Row(f"{found:,} keys", "ms", measured, floor, "ratio"), Row(f"{found:,} keys, in all", "ms", measured)]
    yield Table("A preflight", "the same report read by `json.loads`", rows)


def _trying(wiring: type[Wiring]) -> Callable[[], float]:
    """Milliseconds of a preflight of a runtime that is not entered."""

    async def sample() -> float:
        runtime = Runtime(wiring)
        start = time.perf_counter()
        await runtime.preflight()
        return (time.perf_counter() - start) * 1e3

    return lambda: asyncio.run(sample())


def _reading(report: Path) -> Callable[[], float]:
    def sample() -> float:
        start = time.perf_counter()
        json.loads(report.read_bytes())
        return (time.perf_counter() - start) * 1e3

    return sample


if __name__ == "__main__":
    main("preflight", tables)
