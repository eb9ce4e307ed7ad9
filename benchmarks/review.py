"""What reviewers ask of a report with ten thousand keys, in a fresh process: time and memory."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.command import main
from benchmarks.measure import by_turns, child
from benchmarks.projects import COMMAND, compiled
from benchmarks.table import Row, Table

COMPONENTS = 15_000
"""About ten thousand keys."""

REPORT = ("--from-report", "generated/explain.json")
QUESTIONS = {
    "explain KEY --from-report": ("explain", "store-4", *REPORT),
    "explain --why-not PROVIDER KEY": ("explain", "--why-not", "tree4", "store-4", *REPORT),
    "explain --uses KEY": ("explain", "--uses", "store-4", *REPORT),
    "explain, every key": ("explain", *REPORT),
}
TARGETS = {"explain KEY --from-report": 0.4}  # seconds
FLOOR = "import json; json.load(open('generated/explain.json'))"


def tables(short: bool) -> Iterator[Table]:
    with compiled(1_500 if short else COMPONENTS) as folder:
        report = (folder / "generated/explain.json").read_bytes()
        keys = len(json.loads(report)["bindings"])
        rows = [row for what, arguments in QUESTIONS.items() for row in _asked(folder, what, arguments, short)]
        rows.append(Row("the report", "bytes a key", [len(report) / keys]))
        rows.append(Row("the report, compressed", "bytes a key", [len(gzip.compress(report)) / keys]))
        yield Table(f"Questions to a report of {keys:,} keys, from a shell", "a process that parses the report", rows)


def _asked(folder: Path, what: str, arguments: tuple[str, ...], short: bool) -> Iterator[Row]:
    rounds = 2 if short else 9
    floor, asked = by_turns(
        rounds, lambda: child(["-c", FLOOR], folder), lambda: child(["-c", COMMAND, *arguments], folder)
    )
    walls = [each.wall for each in floor]
    yield Row(what, "s", [each.wall for each in asked], walls, "total", TARGETS.get(what))
    yield Row(f"{what}, peak memory", "MiB", [each.peak / 2**20 for each in asked])


if __name__ == "__main__":
    main("review", tables)
