"""Who has a state folder: of processes that start at once one, after a kill the next, of a process and its children
the process."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from oneiric.serve.client import running

from tests.unit.cli.running import DEADLINE
from tests.unit.serve.serving import Served, command, compile_project, state_of, until

ROUNDS = """
import os, signal, sys, time
from pathlib import Path

from oneiric.errors import StateError
from oneiric.serve.client import ask
from oneiric.serve.folder import StateFolder
from oneiric.serve.process import Serving, serve

root = Path.cwd()
folder = StateFolder.of(root, "lab")
serving = Serving(root, root / "generated" / "wiring.py", None, None, None, None, False, 0, 0)
sys.path.insert(0, str(root))
import lab.parts


def contend(start):
    pid = os.fork()
    if pid:
        return pid
    code = 3
    try:
        os.read(start, 1)
        code = serve(serving)
    except StateError:
        code = 2
    finally:
        os._exit(code)


def one_round():
    read, write = os.pipe()
    pids.update(contend(read) for _ in range(int(sys.argv[2])))
    os.write(write, b"x" * len(pids))
    while len(pids) > 1:
        pid, status = os.wait()
        pids.discard(pid)
        assert os.waitstatus_to_exitcode(status) == 2, status
    (winner,) = pids
    while (left := folder.left()) is None or (left["pid"], left["state"]) != (winner, "running"):
        time.sleep(0.005)
    assert ask(folder, "status")["pid"] == winner
    os.kill(winner, signal.SIGTERM)
    assert os.wait() == (winner, 0)
    pids.clear()
    assert not os.path.lexists(folder.socket)
    left = folder.left()
    assert (left["pid"], left["state"]) == (winner, "stopped"), left


def late(number, frame):
    raise TimeoutError


pids = set()
signal.signal(signal.SIGALRM, late)
try:
    for number in range(int(sys.argv[1])):
        signal.alarm(30)
        one_round()
finally:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
"""
FORKING = """

from threading import Thread
from time import sleep


@component("task", "forking", provider="only", eager=True)
class Forking:
    async def start(self) -> None:
        by, _, end = Path("child").read_text().partition(" ")
        if by == "thread":
            thread = Thread(target=self._fork, args=(end,))
            thread.start()
            while not Path("child is").exists():
                await asyncio.sleep(0.005)
        elif by == "loop":
            self._fork(end)

    def _fork(self, end: str) -> None:
        pid = os.fork()
        if pid:
            Path("child").write_text(str(pid))
            os.replace("child", "child is")
            return
        while not Path("may end").exists():
            sleep(0.01)
        Path("ended").touch()
        if end == "exit":
            raise SystemExit(7)
        os._exit(7)
"""
WAITING = """

@component("task", "waiting", provider="only", eager=True)
class Waiting:
    async def start(self) -> None:
        await self._may("start")

    async def aclose(self) -> None:
        await self._may("stop")

    async def _may(self, what: str) -> None:
        while not Path(f"may {what}").exists():
            await asyncio.sleep(0.005)
"""


def test_of_processes_that_start_at_once_one_serves(project: Path) -> None:
    """The others neither take its socket, nor remove it, nor write that they failed over what it is doing."""
    done = subprocess.run(
        [sys.executable, "-c", ROUNDS, "10", "4"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=10 * DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def test_a_folder_that_another_process_has_is_left_as_it_is(project: Path) -> None:
    """Also before that one listens, or where it never does: `Runtime(Wiring, state=DIR)`."""
    with Served(project) as before:
        pass
    (before.folder.path / "control.sock").write_text("another one's")
    state = _everything(before.folder.path)
    with (before.folder.path / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        refused = command(project, "serve", code=2)
        assert f"another process has the state folder {before.folder.path}" in refused.stderr
        assert _everything(before.folder.path) == state


def _everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_ino, path.read_bytes()) for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("when", ["starting", "stopping"])
def test_what_a_killed_process_leaves_is_taken_over(project: Path, when: str) -> None:
    _add(project, WAITING)
    killed = Served(project)
    until(lambda: killed.state() == "starting")
    if when == "stopping":
        (project / "may start").touch()
        until(lambda: killed.state() == "running")
        killed.signal(signal.SIGTERM)
        until(lambda: killed.state() == "stopping")
    _kill(killed)
    assert os.path.lexists(killed.folder.socket)
    _is_gone(killed, when)
    half = killed.folder.path / f".status.json.{killed.process.pid}.half"
    half.write_text("{")
    (project / "may start").touch()
    (project / "may stop").touch()
    with Served(project) as again:
        assert again.ask("status")["pid"] == again.process.pid
        assert not half.exists()
    assert not os.path.lexists(again.folder.socket)


def _add(project: Path, parts: str) -> None:
    with (project / "lab" / "parts.py").open("a") as file:
        file.write(parts)
    compile_project(project)


def _kill(served: Served) -> None:
    served.signal(signal.SIGKILL)
    assert served.wait() == -signal.SIGKILL


def _is_gone(killed: Served, was: str) -> None:
    """Every command says so, with 1, and what it was doing."""
    project, pid = killed.root, killed.process.pid
    assert not running(killed.folder)
    left = json.loads(command(project, "status", "--json", code=1).stdout)
    assert (left["running"], left["state"], left["pid"]) == (False, was, pid)
    assert command(project, "status", code=1).stdout.startswith(f"lab gone: it was {was} at ")
    assert command(project, "health", code=1).stdout == "not ok: not running\n"
    assert "no process is running here" in command(project, "reload", code=None).stderr


@pytest.mark.parametrize(("by", "end"), [("loop", "exit"), ("thread", "_exit")])
def test_a_child_of_a_process_has_nothing_of_what_it_listens_on_and_locks(project: Path, by: str, end: str) -> None:
    """The process can be killed while the child lives, and another one started; the child's end changes nothing."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    _add(project, FORKING)
    (project / "child").write_text(f"{by} {end}")
    with Served(project, "--port", port) as killed:
        child = int((project / "child is").read_text())
        assert killed.ask("status")["pid"] == killed.process.pid
        _kill(killed)
    try:
        _is_gone(killed, "running")
        (project / "child").write_text("none")
        with Served(project, "--port", port) as again:
            (project / "may end").touch()
            until(lambda: (project / "ended").exists() and not _runs(child))
            assert again.ask("status")["pid"] == again.process.pid
            assert again.runs()
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def test_a_child_that_exits_takes_nothing_along(project: Path) -> None:
    _add(project, FORKING)
    (project / "child").write_text("loop exit")
    (project / "may end").touch()
    with Served(project) as served:
        child = int((project / "child is").read_text())
        until(lambda: not _runs(child))
        assert served.ask("status")["pid"] == served.process.pid
        assert served.runs()
    assert (project / "closed").read_text().splitlines().count("Plain") == 1


def _runs(pid: int) -> bool:
    """Not as one that has ended, and that its parent has not asked about."""
    return state_of(pid) not in ("", "Z")


def test_a_disk_that_has_no_room_for_the_state_is_told_with_the_file(project: Path) -> None:
    """A file of 100 bytes is all that fits."""
    small = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); "
    done = subprocess.run(
        [sys.executable, "-c", small + "os.execv(sys.executable, [sys.executable, '-m', 'oneiric_compiler', 'serve'])"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 2
    assert ".oneiric/lab/generations/" in done.stderr.splitlines()[-1]
    assert done.stderr.endswith(f": {os.strerror(errno.EFBIG)}\n")
