"""Unpacking that is killed, repeated at the same time, or has no room: a store holds whole artifacts or none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.runtime.wheels import PART, block, distribution, pin, wheel, write_wiring

ROOT = Path(__file__).parents[2]
START = """
import asyncio, sys, oneiric
async def main():
    async with oneiric.Runtime(oneiric.load(sys.argv[1])) as runtime:
        print(await (await runtime.use("adapter", "a")).ping())
asyncio.run(main())
"""
FULL = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
"""
NAME = "acme_faulty"


def start(wiring: Path, store: Path, code: str = START) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(wiring)],
        cwd=ROOT,
        env={**os.environ, "ONEIRIC_ARTIFACTS": str(store), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def whole(store: Path, named: str, files: int) -> None:
    """One unpacked artifact and nothing half done."""
    assert [folder.name for folder in store.iterdir()] == [named.partition(" ")[0]]
    assert len([path for path in store.rglob("*") if path.is_file()]) == files


def test_processes_that_unpack_at_the_same_time_all_start(tmp_path: Path) -> None:
    named = pin(tmp_path, *distribution(NAME, "fine"))
    wiring = write_wiring(tmp_path, block(f"{NAME}.parts", named))
    children = [start(wiring, tmp_path / "store") for _ in range(4)]
    for child in children:
        said, complained = child.communicate(timeout=60)
        assert (said.strip(), child.returncode) == ("fine", 0), complained
    whole(tmp_path / "store", named, 6)


@pytest.mark.parametrize("stale", [False, True])
def test_a_start_after_a_kill_amid_unpacking_finds_nothing_half_done(tmp_path: Path, stale: bool) -> None:
    files = {f"{NAME}/file{number}.txt": "x" for number in range(600)}
    data = wheel({f"{NAME}/__init__.py": "", f"{NAME}/parts.py": PART.format(says="fine"), **files}, name=NAME)
    named = pin(tmp_path, f"{NAME}-1.0-py3-none-any.whl", data)
    wiring, store = write_wiring(tmp_path, block(f"{NAME}.parts", named)), tmp_path / "store"
    child = start(wiring, store)
    until = time.monotonic() + 30
    while not list(store.glob(".part-*/*")):
        assert time.monotonic() < until and child.poll() is None
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=30)
    (part,) = store.iterdir()
    assert part.name.startswith(".part-")
    if stale:
        os.utime(part, (0, 0))
    again = start(wiring, store)
    said, complained = again.communicate(timeout=60)
    assert (said.strip(), again.returncode) == ("fine", 0), complained
    assert part.exists() is not stale
    assert (store / named.partition(" ")[0]).is_dir()


def test_where_nothing_can_be_written_whole_the_start_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    named = pin(tmp_path, *distribution(NAME, "fine"))
    wiring = write_wiring(tmp_path, block(f"{NAME}.parts", named))
    child = start(wiring, tmp_path / "store", FULL + START)
    _, complained = child.communicate(timeout=60)
    assert "artifacts can be unpacked nowhere: File too large" in complained
    assert list((tmp_path / "store").iterdir()) == []
