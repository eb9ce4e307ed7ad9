"""All benchmarks, each in a process of its own."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.table import described, machine
from benchmarks.targets import NAMES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--short", action="store_true", help="fewer rounds and smaller projects, for CI")
    parser.add_argument("--results", type=Path, metavar="DIR", help="write the figures of each there, as NAME.json")
    arguments = parser.parse_args()
    print(described(machine()), end="\n\n", flush=True)
    if arguments.results is not None:
        arguments.results.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        command += ["--short"] if arguments.short else []
        command += [] if arguments.results is None else ["--json", str(arguments.results / f"{name}.json")]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
