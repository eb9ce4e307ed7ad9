"""Many tenants: what they cost a start, in time and memory, and what each costs when it is first used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.command import main
from benchmarks.measure import answer, by_turns, reached
from benchmarks.projects import compiled, overridden
from benchmarks.table import Row, Table

COMPONENTS = 150  # serve 100 keys of 50 areas
AREAS = 50
USED = 500  # tenants whose slots are asked for

SLOT = """\
from generated.wiring import Wiring
from oneiric import Runtime
runtime = Runtime(Wiring)
slot = runtime.wiring.services.desk_7
import time; print(time.monotonic())
"""
HELD = """\
import tracemalloc
from generated.wiring import Wiring
from oneiric import Runtime
tracemalloc.start()
runtime = Runtime(Wiring)
print(tracemalloc.get_traced_memory()[0])
"""
USE = """\
import json, time, tracemalloc
from generated.wiring import Wiring
from oneiric import Runtime
runtime = Runtime(Wiring)

def own(tenant, attribute):
    start = time.perf_counter_ns()
    slot = getattr(runtime.tenant(tenant).services, attribute)
    taken = time.perf_counter_ns() - start
    assert slot.tenant == tenant
    return taken / 1e3

def parsed(line):
    start = time.perf_counter_ns()
    json.loads(line)
    return (time.perf_counter_ns() - start) / 1e3

first, *others = {slots}
with open("generated/tenants.jsonl", "rb") as stream:
    lines = [stream.readline() for _ in others]
found = dict(first=own(*first), others=[own(*each) for each in others[::2]])
found.update(again=[own(*each) for each in others[::2]], lines=[parsed(line) for line in lines[::2]])
tracemalloc.start()
for each in others[1::2]:
    own(*each)
found["bytes"] = tracemalloc.get_traced_memory()[0] / len(others[1::2])
print(json.dumps(found))
"""


def tables(short: bool) -> Iterator[Table]:
    tenants, rounds = (1_000, 7) if short else (10_000, 21)
    with compiled(COMPONENTS) as without, compiled(COMPONENTS, tenants=tenants) as folder:
        start = [*_start(without, folder, rounds)]
        use = [*_use(folder, tenants, rounds)]
    what = f"{tenants:,} tenants with 5 overrides each"
    yield Table(f"A start with {what}", "the same project without tenants", start)
    yield Table(f"First use with {what}", "json.loads of a tenant's line", use)


def _start(without: Path, folder: Path, rounds: int) -> Iterator[Row]:
    samples = [reached(SLOT, each) for each in (without, folder)]
    by_turns(1, *samples)  # so that every module has its bytecode
    floor, measured = by_turns(rounds, *samples)
    yield Row("from the start of a process to a slot in hand", "ms", measured, floor, "above")
    held = [int(answer(HELD, each)) / 1024 for each in (without, folder)]
    yield Row("memory of the runtime, by tracemalloc", "KiB", held[1:], held[:1], "above")


def _use(folder: Path, tenants: int, rounds: int) -> Iterator[Row]:
    step = tenants // USED
    slots = [(f"t{each:05}", f"desk_{overridden(each, AREAS)[0]}") for each in range(0, tenants, step)]
    answers: list[dict[str, Any]] = [json.loads(answer(USE.format(slots=slots), folder)) for _ in range(rounds)]
    lines = [median(each["lines"]) for each in answers]
    first = [each["first"] for each in answers]
    others = [median(each["others"]) for each in answers]
    again = [median(each["again"]) for each in answers]
    yield Row("a slot of the first tenant, imports included", "us", first, lines)
    yield Row("a slot of one more tenant", "us", others, lines, "ratio")
    yield Row("the same slot again", "us", again, lines, "ratio")
    yield Row("memory of one more tenant with one slot", "KiB", [each["bytes"] / 1024 for each in answers])


if __name__ == "__main__":
    main("tenants", tables)
