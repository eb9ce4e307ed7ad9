"""Many tenants: what they cost a start, in time and memory, and what each costs when it is first used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.command import main
from benchmarks.measure import answer, by_turns, child
from benchmarks.projects import compiled
from benchmarks.table import Row, Table

COMPONENTS = 150  # serve 100 keys

SLOT = """\
from generated.wiring import Wiring
from oneiric import Runtime
runtime = Runtime(Wiring)
slot = runtime.wiring.services.desk_7
"""
FIRST = """
import json, sys, time
from generated.wiring import Wiring
from oneiric import Runtime
runtime = Runtime(Wiring)
runtime.tenant("t00003").services.desk_1
line = b'{"tenant": "t00003", "key": "service:desk-8", ' + open("generated/tenants.jsonl", "rb").readline()[1:]
def timed(action, name):
    start = time.perf_counter_ns()
    action(name)
    return (time.perf_counter_ns() - start) / 1e3
def own(name):
    slot = getattr(runtime.tenant(name).services, "desk_%d" % chosen(name))
    assert slot.tenant == name, slot
def another(name):
    getattr(runtime.tenant(name).services, "desk_%d" % chosen(name))
def shared(name):
    slot = runtime.tenant(name).adapters.store_7
    assert slot.tenant is None, slot
def parse(name):
    json.loads(line)
def chosen(name):
    return AREAS_OF(name)
"""


def tables(short: bool) -> Iterator[Table]:
    ...
