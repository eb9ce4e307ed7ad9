"""Lifecycles, reloads and cancellations in loops whose tasks start at once: the same tests, where Python has them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.determinism.environments import python_of

ROOT = Path(__file__).parents[2]
SUITE = (
    "tests/unit/runtime/test_runtime_application.py",
    "tests/unit/runtime/test_runtime_engines.py",
    "tests/unit/runtime/test_runtime_live.py",
    "tests/faults/test_faults_activation.py",
    "tests/faults/test_faults_shutdown.py",
    "tests/faults/test_faults_reload.py",
    "tests/faults/test_faults_cancel.py",
    "tests/faults/test_faults_entered.py",
    "tests/faults/test_faults_drained.py",
)
CHOSEN = "not test_faults_cancel or entering or leaving"
"""Cancellation at every suspension is quick for these two."""


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_nothing_assumes_that_a_task_starts_later(version: str) -> None:
    python = python_of(version)
    if python is None:
        pytest.skip(f"no environment of Python {version}: python tests/determinism/environments.py build")
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", CHOSEN, *SUITE],
        cwd=ROOT,
        env={**os.environ, "ONEIRIC_EAGER_TASKS": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
