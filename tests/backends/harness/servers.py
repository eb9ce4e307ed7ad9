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
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

SUPERVISOR = Path(__file__).with_name("supervisor.py")
DEADLINE = 30.0


@dataclass(frozen=True)
class Kind:
    """A sort of server: what has to be installed, where one usually listens, and how to make one.

    `program` gives the command that starts it in the foreground, from its program, folder and port; `prepare` fills
    the folder before the first start. `user`: whose it must be when the tests run as root.
    """

    name: str
    install: str
    port: int
    find: Callable[[], str | None]
    program: Callable[[str, Path, int], Sequence[str]]
    prepare: Callable[[str, Path], None] = lambda program, folder: None
    user: str = ""

    @property
    def variable(self) -> str:
        return f"ONEIRIC_TEST_{self.name.upper()}"


@dataclass(frozen=True)
class Address:
    host: str
    port: int


class Server:
    """A server of one's own. Its data outlives `kill` and `start`."""

    def __init__(self, kind: Kind, program: str) -> None:
        self.host, self.port = "127.0.0.1", free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"oneiric-{kind.name}-"))
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
        """Start it (again) and wait until it listens."""
        self._order("start")
        end = time.monotonic() + DEADLINE
        while not listens(self.host, self.port):
            if time.monotonic() > end or self._order("look") == "ended":
                raise RuntimeError(f"the server does not listen:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.01)

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
    server = Server(kind, _program(kind))
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
def _program(kind: Kind) -> str:
    program = kind.find()
    if program is None:
        pytest.skip(f"{kind.name}: install {kind.install}, or set {kind.variable}=HOST:PORT")
    return program


def _on_path(name: str, *folders: str) -> Callable[[], str | None]:
    """Looks for a program on the PATH, then in folders (patterns are allowed; the last match counts)."""

    def find() -> str | None:
        known = [shutil.which(name), *(str(path) for folder in folders for path in sorted(Path("/").glob(folder)))]
        return next((program for program in (known[0], *reversed(known[1:])) if program), None)

    return find


def _redis(program: str, folder: Path, port: int) -> Sequence[str]:
    options = {"dir": str(folder), "bind": "127.0.0.1", "save": "", "appendonly": "yes", "loglevel": "warning"}
    return [program, "--port", str(port), *(part for name, text in options.items() for part in (f"--{name}", text))]


def _nats(program: str, folder: Path, port: int) -> Sequence[str]:
    return [program, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder)]


def _postgres(program: str, folder: Path, port: int) -> Sequence[str]:
    options = ("fsync=off", f"unix_socket_directories={folder}", "listen_addresses=127.0.0.1", f"port={port}")
    return [program, "-D", str(folder / "data"), *(part for option in options for part in ("-c", option))]


def _initdb(program: str, folder: Path) -> None:
    initdb = str(Path(program).resolve().with_name("initdb"))
    command = [initdb, "-D", str(folder / "data"), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"]
    _run(command, "postgres" if os.getuid() == 0 else None, folder)


def _mariadb(program: str, folder: Path, port: int) -> Sequence[str]:
    return [
        *(program, "--no-defaults", f"--datadir={folder}/data", f"--socket={folder}/socket", f"--port={port}"),
        *("--bind-address=127.0.0.1", "--innodb-log-file-size=4M", "--innodb-flush-log-at-trx-commit=0"),
        *("--skip-log-bin", f"--pid-file={folder}/pid", *(("--user=root",) if os.getuid() == 0 else ())),
    ]


def _mariadb_install(program: str, folder: Path) -> None:
    install = shutil.which("mariadb-install-db") or "mariadb-install-db"
    command = [install, "--no-defaults", f"--datadir={folder}/data", "--auth-root-authentication-method=normal"]
    _run([*command, "--innodb-log-file-size=4M", "--skip-test-db", "--user=root"], None, folder)


def _run(command: Sequence[str], user: str | None, folder: Path) -> None:
    done = subprocess.run(
        command, user=user, cwd=folder, capture_output=True, text=True, timeout=2 * DEADLINE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _find_azurite() -> str | None:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return None
    command = [npm, "root", "--global"]
    root = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False).stdout.strip()
    program = Path(os.environ.get("ONEIRIC_TEST_NODE_MODULES", root), "azurite/dist/src/blob/main.js")
    return str(program) if program.is_file() else None


def _azurite(program: str, folder: Path, port: int) -> Sequence[str]:
    node = shutil.which("node") or "node"
    options = ("--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder), "--silent")
    return [node, program, *options, "--skipApiVersionCheck", "--disableTelemetry"]


def _http(program: str, folder: Path, port: int) -> Sequence[str]:
    return [program, "-m", "oneiric.testing.http_server", str(port)]


REDIS = Kind("redis", "redis-server (Debian: redis-server)", 6379, _on_path("redis-server"), _redis)
NATS = Kind("nats", "nats-server (Debian: nats-server)", 4222, _on_path("nats-server", "usr/sbin/nats-server"), _nats)
POSTGRES = Kind(
    "postgres",
    "PostgreSQL (Debian: postgresql)",
    5432,
    _on_path("postgres", "usr/lib/postgresql/*/bin/postgres"),
    _postgres,
    _initdb,
    "postgres",
)
MARIADB = Kind(
    "mariadb",
    "MariaDB (Debian: mariadb-server)",
    3306,
    _on_path("mariadbd", "usr/sbin/mariadbd"),
    _mariadb,
    _mariadb_install,
)
HTTP = Kind("http", "nothing", 0, lambda: sys.executable, _http)
AZURITE = Kind("azurite", "azurite (npm install --global azurite)", 10000, _find_azurite, _azurite)
