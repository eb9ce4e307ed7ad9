"""An application of many workers, as uvicorn, gunicorn and Celery start them, beside the process that it follows."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.unit.cli.running import DEADLINE, environment, run_here
from tests.unit.serve.serving import command, until

PAGE = Path(__file__).parents[3] / "docs/workers.md"
IN_FILES = """app = Celery("work", broker="filesystem://", backend="file://results")
app.conf.broker_transport_options = {
    "data_folder_in": "messages", "data_folder_out": "messages", "control_folder": "control"
}
app.conf.worker_proc_alive_timeout = 60"""
FILES = {
    "settings/app.yml": "name: shop\npackages: [shop]\n",
    "settings/services.yml": "selections: {greeter: plain}\n",
    "shop/__init__.py": "",
    "shop/parts.py": '''
from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Protocol

from oneiric import component


class Greeter(Protocol):
    async def greet(self) -> str: ...


@component("service", "greeter", provider="plain", eager=True, port="shop.parts:Greeter")
class Plain:
    async def greet(self) -> str:
        await asyncio.sleep(0.001)
        return f"{os.getpid()} plain"


@component("service", "greeter", provider="loud", eager=True, port="shop.parts:Greeter")
class Loud:
    async def greet(self) -> str:
        await asyncio.sleep(0.001)
        return f"{os.getpid()} loud"


@component("service", "greeter", provider="moody", eager=True, port="shop.parts:Greeter")
class Moody:
    """Does not start in a process that a file `refuse.PID` is there for."""

    async def start(self) -> None:
        if Path(f"refuse.{os.getpid()}").exists():
            raise ValueError("not today")

    async def greet(self) -> str:
        return f"{os.getpid()} moody"
''',
    "worker.py": """
import asyncio

import oneiric
from oneiric import Runtime


async def main():
    async with Runtime(oneiric.load("generated/wiring.py"), follow=".oneiric/shop") as runtime:
        while True:
            await runtime.wiring.services.greeter.live.greet()
            await asyncio.sleep(0.005)


asyncio.run(main())
""",
}


def make_application(root: Path) -> Path:
    """The project, compiled."""
    for path, text in {**FILES, **documented()}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    for folder in ("messages", "control", "results"):
        (root / folder).mkdir()
    command(root, "compile")
    return root


def documented() -> dict[str, str]:
    """The programs of the page about workers; Celery's with queues in files, so that it needs no server."""
    found = dict(re.findall(r"```python\n# ([\w.]+)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))
    found["work.py"], count = re.subn(r"app = Celery\(.*\)", IN_FILES, found["work.py"])
    assert count == 1
    return found


@contextmanager
def started(root: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program of Python and all that it starts, until the end of the test."""
    log = root / f"{arguments[0]}.{time.monotonic_ns()}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=root, env=environment(), stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield process
        if process.returncode is None:  # else the test has ended it
            assert process.poll() is None, log.read_text()
            process.terminate()
            process.wait(DEADLINE)
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def following(root: Path) -> list[dict[str, Any]]:
    """What `oneiric status` says of those that follow; nothing while the process cannot answer."""
    answer = json.loads(run_here(root, ["status", "--json"]).stdout)
    found: list[dict[str, Any]] = answer.get("followers", [])
    return found


def wait_for(root: Path, count: int, *, without: frozenset[int] = frozenset()) -> set[int]:
    """The followers, once there are so many that run what the owner does."""

    def all_there() -> set[int]:
        took = {each["pid"] for each in following(root) if each["took"]} - without
        return took if len(took) == count else set()

    return until(all_there, within=DEADLINE)


def swap(root: Path, provider: str) -> set[int]:
    """Who took a swap, of those that follow; nobody did not."""
    answer = json.loads(command(root, "swap", "service:greeter", provider, "--json").stdout)
    assert [each for each in answer["followers"] if not each["took"]] == []
    return {each["pid"] for each in answer["followers"]}


class Client:
    """Asks all the time, with a connection for each question, and remembers what came of it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers = 0
        self.failures: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def ask(self) -> tuple[int, str]:
        """The process that answered, and the provider."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request("GET", "/")
            response = connection.getresponse()
            pid, provider = response.read().decode().split()
            assert response.status == 200
            return int(pid), provider
        finally:
            connection.close()

    def listened_to(self) -> bool:
        """Whether the server takes connections, as it does once its first worker is there."""
        try:
            self.ask()
        except ConnectionRefusedError:
            return False
        return True

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self.ask()
                self.answers += 1
            except Exception as error:
                self.failures.append(repr(error))

    def __enter__(self) -> Client:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()


def all_say(client: Client, provider: str, pids: set[int]) -> None:
    """Each of the processes answers, and none with anything else."""
    left = set(pids)

    def heard() -> bool:
        pid, said = client.ask()
        assert said == provider
        left.discard(pid)
        return not left

    until(heard, within=DEADLINE)
