"""Processes killed while they change: a restart has the last good generation, and no compiler is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.killed import REAL, make_project
from tests.faults.killing import gone

ROOT = Path(__file__).parents[2]
SWAP = f"""\
import asyncio, oneiric

async def swap():
    wiring = oneiric.load("generated/wiring.py")
    async with oneiric.Runtime(wiring, state="state") as runtime:
        await runtime.swap({REAL.key!r}, {REAL.providers[1]!r})

asyncio.run(swap())
"""
FULL = f"""\
import asyncio, oneiric, os, resource

async def swap():
    wiring = oneiric.load("generated/wiring.py")
    async with oneiric.Runtime(wiring, state="state") as runtime:
        before = runtime.generation
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
        outcome = await runtime.swap({REAL.key!r}, {REAL.providers[1]!r})
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert (outcome.accepted, outcome.code) == (False, "compile"), outcome
        assert "File too large" in outcome.reason, outcome
        assert runtime.generation == before
        assert not [name for name in os.listdir("state/generations") if name.startswith(".part")]
        assert (await runtime.swap({REAL.key!r}, {REAL.providers[1]!r})).accepted

asyncio.run(swap())
"""
HANGING = """\
import pathlib, time

pathlib.Path("hangs").touch()
time.sleep(60)
"""


@pytest.mark.parametrize("trials", [("60",), ("5", "--compiler")])
def test_a_process_killed_anywhere_starts_again_with_the_last_good_generation(trials: tuple[str, ...]) -> None:
    """A short form of `python -m tests.faults.killing 1000`, and of the same with the real compiler."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.faults.killing", *trials],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_compiler_that_hangs_ends_with_its_process(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "hanging").mkdir()
    (tmp_path / "hanging" / "jinja2.py").write_text(HANGING)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(("hanging", os.environ.get("PYTHONPATH", "")))}
    process = subprocess.Popen([sys.executable, "-c", SWAP], cwd=tmp_path, env=environ, process_group=0)
    try:
        until(lambda: (tmp_path / "hangs").exists())
        process.kill()
        process.wait(10)
        gone(process.pid)
    finally:
        process.kill()
        process.wait(10)


def test_a_compiler_without_room_for_its_output_withdraws_the_override(tmp_path: Path) -> None:
    make_project(tmp_path)
    ran = subprocess.run(
        [sys.executable, "-c", FULL], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
