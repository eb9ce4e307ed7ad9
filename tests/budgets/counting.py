"""Instructions that a Python process executes, counted by valgrind: the same on a busy machine as on a quiet one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import oneiric

DEADLINE = 300.0  # seconds for one process; the longest takes a tenth of that on a quiet machine
VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
RUNTIME = str(Path(oneiric.__file__).parents[1])


def run(
    folder: Path, code: str, *, before: tuple[str, ...] = (), site: bool = True
) -> subprocess.CompletedProcess[str]:
    """Runs Python code in `folder` with bytecode kept there; without `site` only what the code itself imports loads."""
    environ = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0", "PYTHONPYCACHEPREFIX": str(folder / ".bytecode")}
    if not site:
        code = f"import sys\nsys.path[:0] = {['', RUNTIME]!r}\n{code}"
    done = subprocess.run(
        [*before, sys.executable, *(() if site else ("-S",)), "-c", code],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def instructions(folder: Path, code: str, *, site: bool = False) -> int:
    """How many instructions the process executes, once every module that it imports has its bytecode."""
    run(folder, code, site=site)
    told = run(folder, code, before=VALGRIND, site=site).stderr
    found = re.search(r"I\s+refs:\s+([\d,]+)", told)
    assert found, told
    return int(found[1].replace(",", ""))
