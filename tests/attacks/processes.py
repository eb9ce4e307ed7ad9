"""Processes that are stopped, interrupted and killed at any point, or get no more descriptors and no more disk.

The next start works; what a command cannot have it names.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

from oneiric.errors import OneiricError

from tests.attacks.campaign import Campaign
from tests.unit.cli.running import MAIN
from tests.unit.serve.serving import Served, _environment, command, copy_project, make_project, until

EVENTS = (
    "SIGSTOP",
    "SIGSTOP",
    "SIGHUP",
    "SIGHUP",
    "swap loud",
    "swap plain",
    "swap broken",
    "reload",
    "rollback",
    "status",
)
ENDS = ("SIGKILL", "SIGKILL", "SIGINT", "SIGTERM", "SIGINT SIGINT", "SIGTERM SIGKILL")
LIMITED = (
    "compile",
    "compile --check",
    "explain",
    "list --json",
    "verify",
    "status",
    "serve",
    "remote-sync",
    "history",
)


@dataclass(frozen=True)
class Lived:
    events: tuple[tuple[int, str], ...]
    """Milliseconds, and what happens then; the last ends it."""


@dataclass(frozen=True)
class Limited:
    command: str
    descriptors: int | None
    bytes: int | None


class Processes(Campaign["Lived | Limited"]):
    name, cases, few = "processes", 600, 4

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.made = make_project(folder / "made")

    def case(self, choose: Random) -> Lived | Limited:
        if choose.random() < 0.6:
            few = choose.random() < 0.6
            limits = (choose.randint(7, 30), None) if few else (None, choose.choice((0, 1, 100, 1000, 3000, 8000)))
            return Limited(choose.choice(LIMITED), *limits)
        events = [(choose.randrange(120), choose.choice(EVENTS)) for _ in range(choose.randrange(6))]
        events[:0] = [(0, "up")] if choose.random() < 0.7 else []
        return Lived((*events, (choose.randrange(300), choose.choice(ENDS))))

    def attack(self, case: Lived | Limited) -> str:
        root = self.folder / "lab"
        shutil.rmtree(root, ignore_errors=True)
        copy_project(self.made, root)
        return self._limited(root, case) if isinstance(case, Limited) else self._lived(root, case)

    def smaller(self, case: Lived | Limited) -> Iterator[Lived | Limited]:
        for at in range(len(case.events) - 1) if isinstance(case, Lived) else ():
            yield Lived(case.events[:at] + case.events[at + 1 :])

    def shown(self, case: Lived | Limited) -> str:
        return str(case)

    def _lived(self, root: Path, case: Lived) -> str:
        served = Served(root)
        try:
            for milliseconds, event in case.events:
                time.sleep(milliseconds / 1000)
                _happens(served, event)
            with contextlib.suppress(subprocess.TimeoutExpired):
                served.process.wait(30)
            assert served.process.poll() is not None, "does not end"
        finally:
            served.process.kill()
            served.process.wait()
        assert "Traceback" not in served.text() or _interrupted_before(served.text()), served.text()
        again = Served(root)
        until(lambda: again.runs() or again.process.poll() is not None, within=60)
        assert again.process.poll() is None, f"does not start again: {again.text()}"
        with again:
            assert again.ask("status")["state"] == "running"
            until(lambda: again.heard() in ("hello", "HELLO"))
        assert "Traceback" not in again.text(), again.text()
        return f"ended by {case.events[-1][1]}, and started again"

    def _limited(self, root: Path, case: Limited) -> str:
        limits = {"NOFILE": case.descriptors, "FSIZE": case.bytes}
        setting = "".join(
            f"resource.setrlimit(resource.RLIMIT_{name}, ({limit}, {limit}))\n"
            for name, limit in limits.items()
            if limit is not None
        )
        if case.command == "compile":
            (root / "settings/services.yml").write_text("selections:\n  greeter: loud\n")
        process = subprocess.Popen(
            [sys.executable, "-c", f"import resource\n{setting}{MAIN}", *case.command.split()],
            cwd=root,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        codes = (0, 1, 2)
        try:
            out, err = process.communicate(timeout=4 if case.command == "serve" else 60)
        except subprocess.TimeoutExpired:
            process.terminate()
            out, err = process.communicate(timeout=60)
            codes = (0, 1, 2, -signal.SIGTERM)  # the last where it had not come to serve yet
        assert process.returncode in codes, (process.returncode, err)
        assert "Traceback" not in err, err
        assert process.returncode in (0, -signal.SIGTERM) or out or err, "fails without a word"
        if case.command == "compile":
            done = command(root, "compile", "--check", code=None if process.returncode else 0)
            assert process.returncode or done.returncode == 0
        return f"answered {process.returncode}"


def _interrupted_before(text: str) -> bool:
    """Whether it was the interpreter that was interrupted, before any of ours ran."""
    return "KeyboardInterrupt" in text and "in answering" not in text


def _happens(served: Served, event: str) -> None:
    for part in event.split() if event.startswith("SIG") else ():
        with contextlib.suppress(ProcessLookupError):
            served.process.send_signal(signal.Signals[part])
        if part == "SIGSTOP":
            time.sleep(0.02)
            served.process.send_signal(signal.SIGCONT)
    what, _, provider = event.partition(" ")
    if what == "up":
        until(lambda: served.runs() or served.process.poll() is not None, within=60)
    with contextlib.suppress(OneiricError):
        if what == "swap":
            served.swap("service:greeter", provider)
        elif what in ("rollback", "status"):
            served.ask(what)
        elif what == "reload":
            served.reload()
