"""The command, run in this process; whatever it is given, there is an answer of its own and no traceback."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.unit.cli.running import run_here


def answer(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = run_here(root, arguments)
    assert done.returncode in (0, 1, 2), (arguments, done.returncode, done.stderr)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout.strip() or done.stderr.strip() or done.returncode == 0, f"{arguments}: not a word"
    return done
