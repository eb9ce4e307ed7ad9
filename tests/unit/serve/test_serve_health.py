"""What a process knows of its components without asking them: probes, `health` and `status` say it and do not wait."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from oneiric import Runtime
from oneiric.lifecycle.activation import renew
from oneiric.lifecycle.looks import Looks
from oneiric.runtime import host_of
from oneiric.serve.folder import StateFolder
from oneiric.serve.status import Status

from tests.unit.runtime.making import key, run, wiring_of
from tests.unit.serve.serving import Served, command, compile_project, until

PARTS = '''

@component("task", "consumer", provider="only", eager=True)
class Consumer:
    """Consumes until the file `dead` is there; nobody asks it how it is."""

    async def start(self) -> None:
        self._task = asyncio.create_task(self._consume())

    async def _consume(self) -> None:
        while not Path("dead").exists():
            await asyncio.sleep(0.005)
        raise ConnectionError("a text with the password hunter2")

    async def aclose(self) -> None:
        self._task.cancel()


@component("service", "hanging", provider="only", eager=True)
class Hanging:
    """Its check hangs while the file `hang` is there."""

    def health(self) -> bool:
        import time

        while Path("hang").exists():
            time.sleep(0.01)
        return True
'''
QUICKLY = ("--port", "0", "--health-period", "0.05")


@pytest.fixture
def project(project: Path) -> Path:
    parts = project / "lab" / "parts.py"
    parts.write_text(parts.read_text() + PARTS)
    compile_project(project)
    return project


def _ready(served: Served) -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(f"{served.ask('status')['address']}/readyz", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def _told(project: Path, *options: str, code: int) -> dict[str, str]:
    """The components that are not well, with the reason."""
    answer = json.loads(command(project, "health", *options, "--json", code=code).stdout)
    assert answer["ok"] == (code == 0)
    return {each["key"]: each["reason"] for each in answer["components"] if not each["ok"]}


def _ends_with(project: Path, code: int) -> bool:
    """Whether a probe of all by now ends so: a component notices in its own time what is wrong with it."""
    done = subprocess.run(
        [sys.executable, "-m", "oneiric_compiler", "health", "--probe"],
        cwd=project,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode == code


def test_a_consumer_that_died_is_told_by_every_probe(project: Path) -> None:
    with Served(project, *QUICKLY) as served:
        assert _ready(served) == (200, {"ok": True, "state": "running"})
        assert _told(project, code=0) == {}
        (project / "dead").touch()
        until(lambda: _ready(served) == (503, {"ok": False, "state": "running"}))
        why = {"task:consumer": "a background task of it raised ConnectionError"}
        assert _told(project, code=1) == why
        assert _told(project, "--probe", code=1) == why
        shown = command(project, "status").stdout
        assert "unwell: a background task of it raised ConnectionError" in shown
        (event,) = served.events("unwell")
        assert (event["domain"], event["key"], event["level"]) == ("task", "consumer", "warning")
        assert "hunter2" not in served.text() + shown


def test_one_that_is_well_again_is_ready_again(project: Path) -> None:
    with Served(project, *QUICKLY) as served:
        (project / "Plain.sick").touch()
        until(lambda: _ready(served)[0] == 503)
        (project / "Plain.sick").unlink()
        until(lambda: _ready(served)[0] == 200)
        assert _told(project, code=0) == {}
        until(lambda: served.events("well again"))


def test_a_process_is_not_ready_for_what_is_eager_and_its_needs_alone(tmp_path: Path) -> None:
    class Part:
        well = True

        def health(self) -> bool:
            return self.well

    small = wiring_of(
        needed=key(lambda _: Part()),
        eager=key(lambda _: Part(), eager=True, needs=("adapter:needed",)),
        spare=key(lambda _: Part()),
    )

    async def day() -> None:
        runtime = Runtime(small)
        host = host_of(runtime)
        looks = host.looks = Looks(host, renew, period=0.01)
        status = Status(StateFolder(tmp_path), runtime, None, None, None, name="x", wiring="x")  # type: ignore[arg-type]
        async with runtime:
            looks.begin()
            async with runtime.wiring.adapters.spare.lease() as spare:
                spare.well = False
            while [each.key for each in looks.unwell()] != ["adapter:spare"]:
                await asyncio.sleep(0.01)
            assert status.failing() == []
            runtime.wiring.adapters.needed.current.well = False
            while status.failing() != ["adapter:needed"]:
                await asyncio.sleep(0.01)

    run(day())


def test_a_check_that_hangs_keeps_no_probe_waiting(project: Path) -> None:
    with Served(project, *QUICKLY) as served:
        (project / "hang").touch()
        told = _told(project, "--probe", "--timeout", "2", code=1)
        assert told == {"service:hanging": "health took longer than 1.5 seconds"}
        for _ in range(20):
            assert _ready(served)[0] in (200, 503)
        command(project, "status")
        (project / "hang").unlink()


def test_without_a_period_nobody_is_asked(project: Path) -> None:
    with Served(project, "--port", "0", "--health-period", "0") as served:
        (project / "dead").touch()
        until(lambda: _ends_with(project, 1))
        assert _told(project, code=0) == {}
        assert _ready(served)[0] == 200
