"""From the start of a process to a slot in hand, and from there to the first awaited call."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.command import main
from benchmarks.measure import by_turns, child, reached
from benchmarks.projects import compile_project, write_project
from benchmarks.table import Row, Table

TARGETS = {30: 3.0, 1_000: 8.0, 10_000: 60.0}  # milliseconds, by keys

SLOT = """\
from generated.wiring import Wiring
from oneiric import Runtime
runtime = Runtime(Wiring)
slot = runtime.wiring.adapters.store_7
"""
TELL = "import time; print(time.monotonic())\n"
LOOP = """\
import asyncio, time
async def main():
    print(time.monotonic())
asyncio.run(main())
"""
CALL = """\
import asyncio, time
async def main():
    async with runtime:
        await slot.live.get("a")
        print(time.monotonic())
asyncio.run(main())
"""


def tables(short: bool) -> Iterator[Table]:
    rounds = 11 if short else 41
    slots: list[Row] = []
    calls: list[Row] = []
    for keys, target in list(TARGETS.items())[: 2 if short else 3]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            found = write_project(folder, keys * 3 // 2)
            compile_project(folder)
            empty, slot, loop, call = _samples(folder, rounds)
        slots.append(Row(f"{found:,} keys", "ms", slot, empty, "above", target))
        calls.append(Row(f"{found:,} keys", "ms", call, loop, "above"))
    yield Table("From the start of a process to a slot in hand", "to the first statement of `python -c`", slots)
    floor = "to the slot in hand and an empty coroutine in asyncio.run"
    yield Table("From the start of a process to the first awaited call on a component", floor, calls)


def _samples(folder: Path, rounds: int) -> list[list[float]]:
    codes = (TELL, SLOT + TELL, SLOT + LOOP, SLOT + CALL)
    for code in codes:
        child(["-c", code], folder)  # so that every module has its bytecode
    return by_turns(rounds, *(reached(code, folder) for code in codes))


if __name__ == "__main__":
    main("start", tables)
