"""The types of a wiring, as mypy and pyright see them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SAMPLE = "tests/unit/runtime/typing_sample.py"


@pytest.mark.parametrize("checker", [["mypy", "--strict", SAMPLE], ["pyright", SAMPLE]], ids=["mypy", "pyright"])
def test_slots_are_typed_by_their_ports(checker: list[str]) -> None:
    module, *arguments = checker
    ran = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
