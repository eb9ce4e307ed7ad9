"""Servers for tests: those that run already, else what is installed, started on a free port of this machine.

`shared(KIND)` is one for all tests of the run, for cases that leave others in peace: what the variable of its kind
names (`ONEIRIC_TEST_REDIS=HOST:PORT`), or what listens on the default port, else a private one. `private(KIND)` is
for cases that kill, freeze or fill it. Private servers listen on 127.0.0.1, keep everything in a temporary folder and
are gone with the run, even if it crashes. What is not installed skips, and says what to install.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.backends.harness.kinds import DEADLINE, Kind

SUPERVISOR = Path(__file__).with_name("supervisor.py")


@dataclass(frozen=True)
class Address:
    host: str
    port: int


class Server:
    """A server of one's own. Its data outlives `kill` and `start`."""

    def __init__(self, kind: Kind, program: str) -> None:
        self.host, self.port = "127.0.0.1", free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"oneiric-{kind.name}-"))
        self._health = kind.health
        user = kind.user if os.getuid() == 0 else ""
        if user:
            shutil.chown(self.folder, user)
        command = kind.program(program, self.folder, self.port)
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", str(SUPERVISOR), str(self.folder), user, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            kind.prepare(program, self.folder)
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start it (again) and wait until it is ready."""
        self._order("start")
        end = time.monotonic() + DEADLINE
        while not (listens(self.host, self.port) and self._says_so()):
            if time.monotonic() > end or self._order("look") == "ended":
                raise RuntimeError(f"the server does not listen:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.01)

    def _says_so(self) -> bool:
        try:
            with urlopen(f"http://{self.host}:{self.port}{self._health}", timeout=5) if self._health else nullcontext():
                return True
        except OSError:
            return False

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._order("kill")

    def freeze(self) -> None:
        """Let it hold its connections and do nothing."""
        self._order("freeze")

    def thaw(self) -> None:
        self._order("thaw")

    def close(self) -> None:
        """Kill it for good and remove its folder."""
        self._supervisor.communicate(timeout=DEADLINE)

    def _order(self, order: str) -> str:
        assert self._supervisor.stdin is not None
        assert self._supervisor.stdout is not None
        print(order, file=self._supervisor.stdin, flush=True)
        answer = self._supervisor.stdout.readline().strip()
        assert answer, "the supervisor is gone"
        return answer


@contextmanager
def private(kind: Kind) -> Generator[Server, None, None]:
    """A server that nobody else uses."""
    server = Server(kind, program_of(kind))
    try:
        yield server
    finally:
        server.close()


@contextmanager
def shared(kind: Kind) -> Generator[Address, None, None]:
    """A server that others use too: keep to names of your own, and remove what you made."""
    named = os.environ.get(kind.variable)
    if named:
        host, _, port = named.rpartition(":")
        yield Address(host, int(port))
    elif listens("127.0.0.1", kind.port):
        yield Address("127.0.0.1", kind.port)
    else:
        with private(kind) as server:
            yield Address(server.host, server.port)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


@cache
def program_of(kind: Kind) -> str:
    """The program that is installed; where there is none, the test is skipped."""
    program = kind.find()
    if program is None:
        pytest.skip(f"{kind.name}: `{kind.install}`, or set {kind.variable}=HOST:PORT")
    return program
