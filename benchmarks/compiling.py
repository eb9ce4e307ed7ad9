"""`oneiric compile` in a fresh process: time and memory by the number of components, and what `--check` takes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.command import main
from benchmarks.measure import Finished, by_turns, child
from benchmarks.projects import compile_project, write_project
from benchmarks.table import Row, Table

TARGETS = {1_000: 1.0, 10_000: 6.0}  # seconds, by components
CHECK = 0.5

READ = """\
import ast, pathlib, yaml
for path in pathlib.Path("shop").glob("*.py"):
    ast.parse(path.read_text("utf-8"))
for path in pathlib.Path("settings").glob("*.yml"):
    for event in yaml.parse(path.read_text("utf-8"), Loader=yaml.CLoader):
        pass
"""


def tables(short: bool) -> Iterator[Table]:
    rows: list[Row] = []
    ours = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory() as name:
        folders = {count: Path(name, str(count)) for count in TARGETS if not short or count == 1_000}
        taken = {count: _compiles(folder, count, short) for count, folder in folders.items()}
        for count, (floor, whole) in taken.items():
            seconds = [each.wall for each in whole]
            rows.append(Row(f"{count:,} components", "s", seconds, _wall(floor), "total", TARGETS[count]))
            rows.append(Row(f"{count:,} components, processor time", "s", _cpu(whole), _cpu(floor)))
            rows.append(Row(f"{count:,} components, peak memory", "MiB", _peak(whole)))
        if len(taken) > 1:
            rows.append(_growth(*(_wall(whole) for _, whole in taken.values())))
        yield Table("`oneiric compile` in a fresh process", "a process that parses the same files", rows)
        yield Table("Settings objects", "the same project without them", [_objects(Path(name, "objects"), short)])
        small = Path(name, "small")
        write_project(small, 30)
        compile_project(small)
        checked = {"a project of 30 components": small}
        if (ours / "settings").is_dir():
            checked["this repository's project"] = ours
        yield Table(
            "`oneiric compile --check`",
            "python -c pass",
            [_check(what, folder, 5 if short else 15) for what, folder in checked.items()],
        )


def _compiles(folder: Path, components: int, short: bool) -> tuple[list[Finished], list[Finished]]:
    write_project(folder, components)
    rounds = 2 if short else 7 if components == 1_000 else 5
    floor, whole = by_turns(rounds, _child(folder, READ), lambda: compile_project(folder))
    return floor, whole


def _objects(folder: Path, short: bool) -> Row:
    """A settings object, two deep, for a third of the components."""
    for objects in (False, True):
        write_project(folder / str(objects), 1_000, objects=objects)
    plain, nested = by_turns(
        3 if short else 7, lambda: compile_project(folder / "False"), lambda: compile_project(folder / "True")
    )
    return Row("1,000 components", "s", _wall(nested), _wall(plain), "ratio")


def _child(folder: Path, code: str) -> Callable[[], Finished]:
    return lambda: child(["-c", code], folder)


def _check(what: str, folder: Path, rounds: int) -> Row:
    floor, checked = by_turns(rounds, _child(folder, "pass"), lambda: compile_project(folder, "--check"))
    return Row(what, "s", _wall(checked), _wall(floor), "total", CHECK)


def _growth(fewer: list[float], more: list[float]) -> Row:
    rounds = min(len(fewer), len(more))
    return Row("ten times the components, in time", "s", more[:rounds], fewer[:rounds], "ratio")


def _wall(finished: list[Finished]) -> list[float]:
    return [each.wall for each in finished]


def _cpu(finished: list[Finished]) -> list[float]:
    return [each.cpu for each in finished]


def _peak(finished: list[Finished]) -> list[float]:
    return [each.peak / 2**20 for each in finished]


if __name__ == "__main__":
    main("compiling", tables)
