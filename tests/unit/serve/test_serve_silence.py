"""A process that runs and does not answer: who asks is told so, in time, and nothing is asked of it behind his back."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest
from oneiric.serve import client
from oneiric.serve.folder import StateFolder

from tests.unit.cli.running import run
from tests.unit.serve.serving import Served, command

ASKING = [
    ("status",),
    ("health",),
    ("health", "--probe"),
    ("list", "--name", "lab"),
    ("swap", "service:greeter", "loud"),
    ("reload",),
    ("rollback",),
    ("secrets", "rotate"),
    ("pause", "service:greeter"),
    ("drain", "service:greeter", "--note", "why"),
]


def test_every_command_says_that_a_stopped_process_does_not_answer(project: Path) -> None:
    with Served(project) as served:
        pid, before = served.process.pid, served.ask("status")["generation"]
        with served.stopped():
            for arguments in ASKING:
                done = command(project, *arguments, "--timeout", "0.2", code=1)
                assert done.stdout == ""
                assert f"error: process lab (pid {pid}) did not answer within 0.2 seconds" in done.stderr
                assert f"kill -CONT {pid}" in done.stderr
                told = json.loads(command(project, *arguments, "--timeout", "0.2", "--json", code=1).stdout)
                assert f"(pid {pid}) did not answer" in told["error"]["message"]
        assert served.state() == "running"
        assert (served.ask("status")["generation"], served.ask("status")["notes"]) == (before, {})


def test_no_command_needs_to_be_told_how_long_to_wait(project: Path) -> None:
    """What it waits by itself is shorter than the deadline of the tests, for a change too."""
    with Served(project) as served, served.stopped():
        for arguments in (("status",), ("swap", "service:greeter", "loud")):
            assert "did not answer within 2 seconds" in run(*arguments, cwd=project).stderr


def test_a_process_that_cannot_even_be_connected_to_does_not_answer(project: Path) -> None:
    with Served(project) as served, served.stopped(), ExitStack() as open_ends:
        for _ in range(1000):
            end = open_ends.enter_context(socket.socket(socket.AF_UNIX))
            end.setblocking(False)
            try:
                end.connect(StateFolder(served.folder.path).socket)
            except BlockingIOError:
                break
        else:
            pytest.fail("the process takes any number of connections while it is stopped")
        assert client.running(served.folder)
        done = command(project, "status", code=1)
        assert f"process lab (pid {served.process.pid}) did not answer" in done.stderr, "as its snapshot has it"
        assert "--timeout" in done.stderr


def test_who_waits_longer_gets_an_answer(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER", 0.01)
    with Served(project) as served:
        with served.stopped():
            waiting = Thread(target=command, args=(project, "swap", "service:greeter", "loud", "--timeout", "60"))
            waiting.start()
            waiting.join(0.5)
            assert waiting.is_alive()
        waiting.join(60)
        assert served.ask("status")["overrides"]["overrides"] == {"service:greeter": "loud"}


def test_a_change_that_takes_longer_goes_on_and_is_told_so(project: Path) -> None:
    with Served(project) as served:
        served.swap("service:greeter", "slow")
        done = command(project, "drain", "service:greeter", "--timeout", "1", code=1)
        assert "did not answer within 1 seconds" in done.stderr
        assert "`oneiric status` shows" in done.stderr
        assert served.ask("status")["notes"]["service:greeter"]["drain"]
        (project / "go").touch()


def test_one_that_does_not_answer_keeps_no_other_from_being_swapped(project: Path) -> None:
    swap = ("swap", "service:greeter", "loud", "--all-processes")
    with Served(project, "--name", "a", name="a") as stopped, Served(project, "--name", "b", name="b") as other:
        with stopped.stopped():
            told = json.loads(command(project, *swap, "--json", code=1).stdout)["processes"]
            assert f"(pid {stopped.process.pid}) did not answer" in told["a"]["error"]["message"]
            assert told["b"]["accepted"] is True
            assert "did not answer" in command(project, *swap, code=1).stderr
        assert other.ask("status")["overrides"]["overrides"] == {"service:greeter": "loud"}
