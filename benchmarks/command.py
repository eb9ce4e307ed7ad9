"""What every benchmark's command does: run, print, keep."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.table import Table, machine


def main(name: str, tables: Callable[[bool], Iterable[Table]]) -> None:
    """Print the tables as they come; with `--json FILE` write them there too."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    arguments = options(parser)
    found: list[Table] = []
    for table in tables(arguments.short):
        print(table.as_text(), flush=True)
        found.append(table)
    if arguments.json is not None:
        write(arguments.json, [table.as_json() for table in found])


def options(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options that all of them have."""
    parser.add_argument("--short", action="store_true", help="fewer rounds and smaller projects, for CI")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def write(path: Path, tables: list[dict[str, object]]) -> None:
    """The figures with the machine they were measured on."""
    path.write_text(json.dumps({"machine": machine(), "tables": tables}, indent=1) + "\n", "utf-8")
