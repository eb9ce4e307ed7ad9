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
    parser.add_argument("--short", action="store_true", help="fewer rounds and smaller projects, for CI")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    arguments = parser.parse_args()
    found: list[Table] = []
    for table in tables(arguments.short):
        print(table.as_text(), flush=True)
        found.append(table)
    if arguments.json is not None:
        kept = {"machine": machine(), "tables": [table.as_json() for table in found]}
        arguments.json.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
