"""What access, a start and a compile may cost: instructions, in units of a floor counted in the same run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.projects import COMMAND, write_project
from tests.budgets.counting import instructions, run

TIMES = 20_000
BUDGETS = {
    "access through current": 1.3,
    "an awaited call through live": 3.0,
    "a start with 30 keys": 0.8,
    "a start with 1,000 keys": 2.6,
    "a compile of 1,000 components": 6.7,
}
"""Times their floor: attributes of plain objects, the same call on the instance, `python -S -c ''` on top of itself,
parsing the sources. A third above what they are on 3.11 to 3.13: raise one only for something that is worth it."""

START = """\
from generated.wiring import Wiring
from oneiric import Runtime
runtime = Runtime(Wiring)
slot = runtime.wiring.adapters.store_7
"""
USE = """\
from generated.wiring import Wiring
from oneiric import Runtime

class Store:
    async def get(self, key):
        return None

    async def put(self, key, value, *, ttl=None):
        return None

store = Store()
class Object: pass
app = Object(); app.wiring = Object(); app.wiring.adapters = Object(); app.wiring.adapters.store_7 = Object()
app.wiring.adapters.store_7.current = store
runtime = Runtime(Wiring, replace={"adapter:store-7": store})
live = runtime.wiring.adapters.store_7.live

async def access(app, times):
    for _ in range(times):
        app.wiring.adapters.store_7.current

async def call(store, times):
    for _ in range(times):
        await store.get("a")

def over(coroutine):
    try:
        coroutine.send(None)
    except StopIteration:
        return

"""
PARSE = """\
import ast, pathlib
for path in pathlib.Path("shop").glob("*.py"):
    ast.parse(path.read_text("utf-8"))
"""
COMPILE = f"import sys; sys.argv = ['oneiric', 'compile']; {COMMAND}"

CODES: Mapping[str, tuple[str, str]] = {
    "compile": ("1,000 components", COMPILE),
    "parse": ("1,000 components", PARSE),
    "bare": ("30 keys", ""),
    "start with 30 keys": ("30 keys", START),
    "start with 1,000 keys": ("1,000 keys", START),
    "two starts": ("1,000 keys", f"{START}import oneiric\nRuntime(oneiric.load('generated/wiring.py'))\n"),
    "ready": ("30 keys", USE),
    "attributes": ("30 keys", f"{USE}over(access(app, {TIMES}))"),
    "current": ("30 keys", f"{USE}over(access(runtime, {TIMES}))"),
    "two of current": ("30 keys", f"{USE}over(access(runtime, {2 * TIMES}))"),
    "call": ("30 keys", f"{USE}over(call(store, {TIMES}))"),
    "live": ("30 keys", f"{USE}over(call(live, {TIMES}))"),
}
"""By name: in which project, and what runs there."""
PROJECTS = {"30 keys": 40, "1,000 keys": 1_500, "1,000 components": 1_000}
"""How many components each has."""
SITE = ("compile", "parse")
"""What needs installed packages; all else runs without `site`, which is no part of a start."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """What each costs, in units of its floor."""
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    counted = _counted(tmp_path_factory.mktemp("budgets"))
    bare, ready = counted["bare"], counted["ready"]

    def above(name: str, floor: int, unit: int) -> float:
        return round((counted[name] - floor) / unit, 3)

    attributes, call, parse = counted["attributes"] - ready, counted["call"] - ready, counted["parse"] - bare
    return {
        "access through current": above("current", ready, attributes),
        "twice: access through current": above("two of current", ready, attributes),
        "an awaited call through live": above("live", ready, call),
        "a start with 30 keys": above("start with 30 keys", bare, bare),
        "a start with 1,000 keys": above("start with 1,000 keys", bare, bare),
        "twice: a start with 1,000 keys": above("two starts", bare, bare),
        "a compile of 1,000 components": above("compile", bare, parse),
    }


def _counted(folder: Path) -> dict[str, int]:
    for project, components in PROJECTS.items():
        write_project(folder / project, components)
        run(folder / project, COMPILE)

    def count(name: str) -> int:
        project, code = CODES[name]
        return instructions(folder / project, code, site=name in SITE)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(CODES, pool.map(count, CODES), strict=True))


@pytest.mark.parametrize("what", BUDGETS)
def test_costs_no_more_than_its_budget(what: str, figures: dict[str, float]) -> None:
    assert figures[what] <= BUDGETS[what]


@pytest.mark.parametrize("what", ["access through current", "a start with 1,000 keys"])
def test_twice_the_work_is_over_budget(what: str, figures: dict[str, float]) -> None:
    assert figures[f"twice: {what}"] > BUDGETS[what]
