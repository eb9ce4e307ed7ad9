"""From the start of a process to the first component, and to its first answer; memory and modules of that process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from time import monotonic
from types import ModuleType

from benchmarks.field.environment import ROOT
from benchmarks.field.known import versions
from benchmarks.field.parts import Parts
from benchmarks.field.project import project
from benchmarks.field.results import Table
from benchmarks.field.rounds import shuffled
from benchmarks.measure import ENVIRONMENT, child

ROUNDS = {30: 21, 1_000: 15, 10_000: 3}
COLUMNS = [("component in hand", "ms"), ("first answer", "ms"), ("peak memory", "MiB"), ("modules", "")]
METHOD = """\
A process that registers {keys} keys and has one desk, made with its store; then its first awaited answer, for which
everyone needs asyncio, this project already for the component. A child tells the monotonic clock when it is there, its
exit does not count; every module has its bytecode. Peak memory of the whole process, modules when the component is in
hand. Classes are imported where a contender is told classes; `dict` imports them and does nothing else, `function` is
what one would write by hand, importing late. {rounds} rounds."""
BARE = "bare Python"
_BARE = """\
import sys, time
first, modules = time.monotonic(), len(sys.modules)
from benchmarks.field.reached import tell
tell(first, modules)
"""
_START = """\
from benchmarks.field.contenders import {module} as contender
from benchmarks.field.parts import ANSWER, ORDER, Parts
desk = contender.start(Parts({keys}))
import sys, time
first, modules = time.monotonic(), len(sys.modules)
import asyncio
assert asyncio.run(desk.serve(ORDER)) == ANSWER
from benchmarks.field.reached import tell
tell(first, modules)
"""


def tables(contenders: dict[str, ModuleType], chance: Random, *, short: bool) -> Iterator[Table]:
    taking = {name: each for name, each in contenders.items() if hasattr(each, "start") or hasattr(each, "START")}
    for keys, rounds in {30: 2}.items() if short else ROUNDS.items():
        with project(Parts(keys), taking) as folder:
            samplers: dict[str, Callable[[], list[float]]] = {BARE: _sampler(_BARE, folder)}
            samplers |= {name: _sampler(_code(module, keys), folder) for name, module in taking.items()}
            shuffled(1, chance, samplers)  # so that every module has its bytecode
            taken = shuffled(rounds, chance, samplers)
        rows = {name: [*map(list, zip(*samples, strict=True))] for name, samples in taken.items()}
        method = METHOD.format(keys=f"{keys:,}", rounds=rounds)
        title = f"From the start of a process to the first of {keys:,} keys"
        yield Table(f"start-{keys}", title, method, COLUMNS, rows, versions(taking))


def _code(module: ModuleType, keys: int) -> str:
    own: str = getattr(module, "START", "")
    return own or _START.format(module=module.__name__.rpartition(".")[2], keys=keys)


def _sampler(code: str, folder: Path) -> Callable[[], list[float]]:
    """Milliseconds to the component and to the answer, MiB, number of modules."""
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder)}

    def sample() -> list[float]:
        begin = monotonic()
        done = child(["-c", code], folder, environment)
        component, answer, modules, peak = map(float, done.output.split())
        return [(component - begin) * 1e3, (answer - begin) * 1e3, peak / 2**20, modules]

    return sample
