"""Nothing that reads or shows what a user wrote takes longer than in proportion to it.

Each case has so many seconds of the processor's time, whatever else the machine does; one that took as long as the
square of its size would take minutes. ONEIRIC_GROWTH=8 makes all of it, time included, so many times larger, which also
finds what is quadratic in a cheap step.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.growth.projects import PROJECTS
from tests.growth.texts import READERS

HERE = Path(__file__).parent
TIMES = int(os.environ.get("ONEIRIC_GROWTH", "1"))
SECONDS = 8 * TIMES
SLOW = frozenset(("a diagnostic", "a change"))
"""What shows a text in several forms, and so takes several times as long for each character."""


def run(program: str, case: str, size: int) -> None:
    """The case in a process of its own, which ends where its time is up."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))

    command = [sys.executable, str(HERE / program), case, str(size * TIMES)]
    done = subprocess.run(
        command, preexec_fn=limited, capture_output=True, text=True, timeout=60 * SECONDS, check=False
    )
    assert done.returncode == 0, f"{case} of {size * TIMES}: {done.returncode} after {SECONDS} s\n{done.stderr[-2000:]}"


@pytest.mark.parametrize("name", READERS)
def test_a_long_text(name: str) -> None:
    run("texts.py", name, 6_000 if name in SLOW else 75_000)


@pytest.mark.parametrize("name", PROJECTS)
def test_many_of_one_thing(name: str) -> None:
    run("projects.py", name, 1_250)


def test_what_is_quadratic_runs_out_of_time() -> None:
    """The measure itself: each step of the square of these sizes is one of the cheapest there are."""
    code = "import re; re.search('a*b', 'a' * 1_000_000)"
    with pytest.raises(AssertionError, match="after"):
        run_code(code)


def run_code(code: str) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (2, 3))

    done = subprocess.run([sys.executable, "-c", code], preexec_fn=limited, timeout=600, check=False)
    assert done.returncode == 0, "stopped after its time"
