"""A task of a component that wants to end the interpreter: the process closes what it can, and ends with that code."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from oneiric.serve.folder import StateFolder

from tests.unit.serve.serving import Served, compile_project, until

QUITTER = '''

@component("task", "quitter", provider="only", eager=True, needs={"database": "adapter:database"})
class Quitter:
    """Ends the interpreter as the file `quit` says; waits for its task at its end, as one does."""

    def __init__(self, *, database: object) -> None:
        pass

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while not Path("quit").exists():
            await asyncio.sleep(0.005)
        exec(Path("quit").read_text())

    async def aclose(self) -> None:
        self._task.cancel()
        try:
            await self._task
        except asyncio.CancelledError:
            pass


@component("service", "greeter", provider="leaving", eager=True, port="lab.parts:Greeter")
class Leaving(Plain):
    async def start(self) -> None:
        raise SystemExit(9)
'''


def _quitting(project: Path) -> Path:
    parts = project / "lab" / "parts.py"
    parts.write_text(parts.read_text() + QUITTER)
    compile_project(project)
    return project


def _quit(project: Path, how: str) -> None:
    (project / "quit.part").write_text(how)
    (project / "quit.part").rename(project / "quit")


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("raise SystemExit(7)", 7),
        ("raise SystemExit", 0),
        ("raise SystemExit('enough')", 1),
        ("raise KeyboardInterrupt", 130),
    ],
)
def test_a_task_that_exits_ends_the_process_with_its_code(project: Path, how: str, code: int) -> None:
    with Served(_quitting(project)) as served:
        until(lambda: served.heard() == "hello")
        _quit(project, how)
        assert served.wait() == code
        assert (project / "closed").read_text().splitlines().count("Plain") == 1, "everything else was closed"
        told = served.events("a task ended the process")
        assert told[0]["at"], "where it happened is told"
        assert len(told) == 1
        assert not (StateFolder.of(project, "lab").path / "control.sock").exists()
        assert json.loads(served.folder.status.read_text())["state"] == ("failed" if code else "stopped")


def test_a_component_that_exits_while_it_starts_is_one_that_does_not_start(project: Path) -> None:
    with Served(_quitting(project)) as served:
        answer = served.swap("service:greeter", "leaving")
        assert (answer["accepted"], answer["code"]) == (False, "start")
        assert "SystemExit" in answer["reason"]
        assert served.state() == "running"


@pytest.mark.parametrize(
    "start",
    ["threading.Thread(target=time.sleep, args=(600,)).start()", "asyncio.to_thread(time.sleep, 600).send(None)"],
)
def test_a_thread_that_goes_on_does_not_keep_the_process(project: Path, start: str) -> None:
    with Served(_quitting(project)) as served:
        until(lambda: served.heard() == "hello")
        _quit(project, f"import threading, time; {start}; Path('went').touch()")
        until((project / "went").exists)
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
        assert (project / "closed").read_text().splitlines().count("Plain") == 1
