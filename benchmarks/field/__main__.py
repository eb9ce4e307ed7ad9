"""`python -m benchmarks.field`: this project beside the field, into `benchmarks/results`.

The whole form makes environments of its own from `benchmarks/requirements.txt`, so any interpreter may start it. The
short one installs nothing: it takes the floors and this project, in the environment that runs it, in few rounds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.field.environment import COMPILER, FIELD, is_field

RESULTS = Path(__file__).parents[1] / "results"


def main() -> None:
    arguments = _arguments()
    if arguments.short or is_field():
        from benchmarks.field.run import run

        run(short=arguments.short, folder=arguments.results)
        return
    for environment in (COMPILER, FIELD):
        environment.make()
    command = [FIELD.python, "-m", "benchmarks.field", *sys.argv[1:]]
    sys.exit(subprocess.run(command, check=False).returncode)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.field")
    parser.add_argument("--short", action="store_true", help="floors and this project alone, few rounds, no network")
    parser.add_argument("--results", type=Path, metavar="DIR", help="write there (else to benchmarks/results)")
    arguments = parser.parse_args()
    if arguments.results is None and not arguments.short:
        arguments.results = RESULTS
    return arguments


if __name__ == "__main__":
    main()
