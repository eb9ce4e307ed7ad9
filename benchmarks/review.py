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
READS_REPORT = "import json; json.load(open('generated/explain.json'))"
READS_BOTH = f"{READS_REPORT}; json.load(open('before.json'))"
READS_WIRING = f"{READS_REPORT}; import ast; ast.parse(open('generated/wiring.py').read())"
QUESTIONS = {
    "explain KEY --from-report": (("explain", "store-4", *REPORT), READS_REPORT),
    "explain --why-not PROVIDER KEY": (("explain", "--why-not", "tree4", "store-4", *REPORT), READS_REPORT),
    "explain --uses KEY": (("explain", "--uses", "store-4", *REPORT), READS_REPORT),
    "explain, every key": (("explain", *REPORT), READS_REPORT),
    "diff, a setting of every fourth key": (
        ("diff", "--fail-on", "trust", "before.json", "generated/explain.json"),
        READS_BOTH,
    ),
    "verify": (("verify", "generated"), READS_WIRING),
}
"""The command line of each, and the floor beside it: a process that parses what the command has to read."""

TARGETS = {"explain KEY --from-report": 0.4, "diff, a setting of every fourth key": 1.5, "verify": 2.0}  # seconds


def tables(short: bool) -> Iterator[Table]:
    with compiled(1_500 if short else COMPONENTS) as folder:
        report = (folder / "generated/explain.json").read_bytes()
        (folder / "before.json").write_bytes(report.replace(b'{"value": 2.5,', b'{"value": 1.5,'))
        keys = len(json.loads(report)["bindings"])
        rows = [row for what, (asked, floor) in QUESTIONS.items() for row in _asked(folder, what, asked, floor, short)]
        rows.append(Row("the report", "bytes a key", [len(report) / keys]))
        rows.append(Row("the report, compressed", "bytes a key", [len(gzip.compress(report)) / keys]))
        yield Table(
            f"Questions to a report of {keys:,} keys, from a shell", "a process that parses the same files", rows
        )


def _asked(folder: Path, what: str, arguments: tuple[str, ...], floor: str, short: bool) -> Iterator[Row]:
    rounds = 2 if short else 9
    parsed, asked = by_turns(
        rounds, lambda: child(["-c", floor], folder), lambda: child(["-c", COMMAND, *arguments], folder)
    )
    yield Row(what, "s", [each.wall for each in asked], [each.wall for each in parsed], "total", TARGETS.get(what))
    yield Row(
        f"{what}, peak memory",
        "MiB",
        [each.peak / 2**20 for each in asked],
        [each.peak / 2**20 for each in parsed],
    )


if __name__ == "__main__":
    main("review", tables)
