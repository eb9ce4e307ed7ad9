"""A project whose parts tell what they do, and processes that serve it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from oneiric.errors import OneiricError
from oneiric.serve.client import NotRunning, ask
from oneiric.serve.folder import StateFolder

from tests.unit.cli.running import DEADLINE, MAIN, check_document, environment, run_apart, run_here

T = TypeVar("T")

APP = "name: lab\npackages: [lab]\nprofiles: [other]\n"
SERVICES = "selections:\n  greeter: plain\n"
TENANT = "services:\n  selections:\n    greeter: calm\n"
PARTS = '''
from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Protocol

from oneiric import component


class Greeter(Protocol):
    async def greet(self) -> str: ...


@component("service", "greeter", provider="plain", eager=True, port="lab.parts:Greeter")
class Plain:
    """Well until a file with the name of its class and `.sick` is there."""

    async def greet(self) -> str:
        return "hello"

    def health(self) -> bool:
        return not Path(f"{type(self).__name__}.sick").exists()

    def close(self) -> None:
        with open("closed", "a") as file:
            file.write(f"{type(self).__name__}\\n")


@component("service", "greeter", provider="loud", eager=True, port="lab.parts:Greeter")
class Loud(Plain):
    async def greet(self) -> str:
        return "HELLO"


@component("service", "greeter", provider="calm", eager=True, port="lab.parts:Greeter")
class Calm(Plain):
    async def greet(self) -> str:
        return "hello..."


@component("service", "greeter", provider="slow", eager=True, port="lab.parts:Greeter")
class Slow(Plain):
    """Answers once the file `go` is there."""

    async def greet(self) -> str:
        Path("asked").touch()
        while not Path("go").exists():
            await asyncio.sleep(0.01)
        return "at last"


@component("service", "greeter", provider="broken", eager=True, port="lab.parts:Greeter")
class Broken(Plain):
    def __init__(self) -> None:
        raise ValueError("a text with the password hunter2")


@component("service", "lazy", provider="only", port="lab.parts:Greeter")
class Lazy(Plain):
    pass


@component("task", "talker", provider="only", eager=True, needs={"greeter": "service:greeter", "lazy": "service:lazy"})
class Talker:
    """Calls the greeter all the time and writes down what it heard: the last word, and every failure."""

    def __init__(self, *, greeter: Greeter, lazy: Greeter) -> None:
        self._greeter = greeter

    async def start(self) -> None:
        self._task = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        calls = 0
        while True:
            calls += 1
            try:
                heard = await self._greeter.greet()
            except Exception as error:
                heard = f"{type(error).__name__}: {error}"
                with open("failures", "a") as file:
                    file.write(heard + "\\n")
            Path("heard.part").write_text(heard)
            os.replace("heard.part", "heard")
            await asyncio.sleep(0.005)

    async def aclose(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
'''


def make_project(root: Path) -> Path:
    """The project, compiled."""
    for path, text in {
        "settings/app.yml": APP,
        "settings/services.yml": SERVICES,
        "settings/profiles/other.yml": "services:\n  selections:\n    greeter: loud\n",
        "settings/tenants/acme.yml": TENANT,
        "lab/__init__.py": "",
        "lab/parts.py": PARTS,
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    compile_project(root)
    return root


def compile_project(root: Path) -> None:
    """As `oneiric compile`."""
    command(root, "compile")


def command(root: Path, *arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    """One run of the command, which ends with `code`, or with 1 or 2 where that is None. In this process, but for
    `serve`, since starting one takes longer than what it does."""
    words = list(arguments)
    done = run_apart(root, words, environ=_environment()) if words[0] == "serve" else run_here(root, words)
    assert "Traceback" not in done.stderr, done.stderr
    check_document(arguments, done.stdout)
    assert done.returncode in ((1, 2) if code is None else (code,)), (arguments, done.stdout, done.stderr)
    return done


def _environment() -> dict[str, str]:
    """The tests' own, with the sources under test."""
    path = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    return {**environment(), **path}


def until(what: Callable[[], T], *, within: float = 20.0) -> T:
    """The first true answer."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {within} seconds")


class Served:
    """One process of a project. Ends with the test, whatever happens."""

    def __init__(self, root: Path, *options: str, name: str = "lab") -> None:
        self.root = root
        self.folder = StateFolder.of(root, name)
        self._log = root / f"{name}.{time.monotonic_ns()}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", MAIN, "serve", *options], cwd=root, env=_environment(), stderr=log
            )

    def __enter__(self) -> Served:
        until(lambda: self.runs() or self.process.poll() is not None)
        assert self.process.poll() is None, self.text()
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            finally:
                self.process.kill()
                self.process.wait()

    def runs(self) -> bool:
        """Whether the snapshot says so; cheaper than asking, while it starts."""
        if not self.folder.status.exists():
            return False
        left = json.loads(self.folder.status.read_text())
        return (left["pid"], left["state"]) == (self.process.pid, "running")

    def state(self) -> str | None:
        """What the process says it is doing; None while it does not answer."""
        try:
            return str(self.ask("status")["state"])
        except NotRunning:
            return None

    def ask(self, operation: str, **arguments: object) -> dict[str, Any]:
        return ask(self.folder, operation, timeout=DEADLINE, **arguments)

    def swap(self, key: str, provider: str | None, **more: object) -> dict[str, Any]:
        asked = {"tenant": None, "force": False, "all_tenants": False, **more}
        asked = {"plan": False, "with_settings": False, "note": None, **asked}
        return self.ask("swap", key=key, provider=provider, **asked)

    def reload(self, *, plan: bool = False, force: bool = False) -> dict[str, Any]:
        return self.ask("reload", plan=plan, force=force)

    def note(self, kind: str, key: str, note: str = "", *, resume: bool = False) -> dict[str, Any]:
        return self.ask(kind, key=key, note=note, resume=resume)

    @contextmanager
    def stopped(self) -> Generator[None]:
        """Stopped by the system inside, as a debugger or a full disk of a virtual machine would."""
        self.signal(signal.SIGSTOP)
        until(lambda: state_of(self.process.pid).startswith("T"))
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(20)

    def heard(self) -> str:
        """What the talker heard last."""
        file = self.root / "heard"
        return file.read_text() if file.exists() else ""

    def text(self) -> str:
        """All that was logged."""
        return self._log.read_text()

    def events(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of one event."""
        lines = [line for line in self.text().splitlines(keepends=True) if line.endswith("\n")]
        return [found for found in map(json.loads, lines) if found["event"] == event]


def state_of(pid: int) -> str:
    """As `ps` shows it; empty for one that is gone."""
    told = subprocess.run(
        ["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    return told.stdout.strip()


def select(root: Path, provider: str) -> None:
    """Settings that select another greeter, compiled."""
    (root / "settings" / "services.yml").write_text(SERVICES.replace("plain", provider))
    compile_project(root)


def copy_project(made: Path, root: Path) -> Path:
    """A copy for one test."""
    return Path(shutil.copytree(made, root, ignore=shutil.ignore_patterns("__pycache__")))


def refused(served: Served, operation: str, **arguments: object) -> str:
    """Why the process refuses an operation."""
    try:
        served.ask(operation, **arguments)
    except OneiricError as error:
        return str(error)
    raise AssertionError(f"{operation} was not refused")
