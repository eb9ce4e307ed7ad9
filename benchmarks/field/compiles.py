"""This project alone: a compile, one more after a change of one file, and `--check`, by the number of components."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from random import Random
from types import ModuleType

from benchmarks.field.environment import compiler
from benchmarks.field.results import Table
from benchmarks.field.rounds import shuffled
from benchmarks.measure import Finished
from benchmarks.projects import compile_project, write_project

ROUNDS = {100: 9, 1_000: 7, 10_000: 3, 30_000: 2}
COLUMNS = [("time", "s"), ("processor time", "s"), ("peak memory", "MiB")]
METHOD = """\
`oneiric compile` in a fresh process, from start to exit, of generated projects: six components serve four keys, in
modules of seven or eight. `one file changed`: a compile after the default of a parameter changed in one module, which
changes the outputs. Rounds by size: {rounds}."""


def tables(contenders: dict[str, ModuleType], chance: Random, *, short: bool) -> Iterator[Table]:
    chosen = {100: 2} if short else ROUNDS
    rows: dict[str, list[list[float]]] = {}
    for components, rounds in chosen.items():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_project(folder, components)
            compile_project(folder, python=compiler())
            for what, samples in shuffled(rounds, chance, _actions(folder)).items():
                rows[f"{components:,} components, {what}"] = _columns(samples)
    method = METHOD.format(rounds=", ".join(f"{size:,}: {rounds}" for size, rounds in chosen.items()))
    yield Table("compile", "Compiling", method, COLUMNS, rows, {})


def _actions(folder: Path) -> dict[str, Callable[[], Finished]]:
    numbers = count(1)
    module = folder / "shop" / "desks0.py"
    original = module.read_text("utf-8")

    def changed() -> Finished:
        module.write_text(original.replace("limit: int = 100", f"limit: int = {100 + next(numbers)}", 1), "utf-8")
        return compile_project(folder, python=compiler())

    return {
        "nothing changed": lambda: compile_project(folder, python=compiler()),
        "one file changed": changed,
        "--check": lambda: compile_project(folder, "--check", python=compiler()),
    }


def _columns(samples: list[Finished]) -> list[list[float]]:
    return [[each.wall for each in samples], [each.cpu for each in samples], [each.peak / 2**20 for each in samples]]
