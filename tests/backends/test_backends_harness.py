"""The harness: servers are real, one's own, and gone with whoever started them; the proxy does as it is told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from oneiric.testing.proxy import GARBAGE, Proxy

from tests.backends.harness.kinds import MARIADB, NATS, POSTGRES, REDIS, Kind
from tests.backends.harness.servers import listens, private, shared
from tests.backends.redis_client import client_of

CHECKOUT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0


@pytest.mark.parametrize("kind", [REDIS, NATS, POSTGRES, MARIADB], ids=lambda kind: kind.name)
def test_a_private_server_listens_dies_comes_back_and_leaves_nothing(kind: Kind) -> None:
    with private(kind) as server:
        assert listens(server.host, server.port)
        server.kill()
        until(lambda: not listens(server.host, server.port))
        server.start()
        assert listens(server.host, server.port)
    until(lambda: not listens(server.host, server.port))
    assert not server.folder.exists()


def test_what_a_server_keeps_outlives_a_kill() -> None:
    with private(REDIS) as server:
        with client_of(server) as client:
            client.set("a", "b")
        server.kill()
        server.start()
        with client_of(server) as client:
            assert client.get("a") == b"b"


def test_a_frozen_server_holds_its_connections_and_says_nothing() -> None:
    with private(REDIS) as server, socket.create_connection((server.host, server.port), timeout=0.1) as connection:
        server.freeze()
        connection.sendall(b"PING\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(100)
        server.thaw()
        connection.settimeout(DEADLINE)
        assert connection.recv(100) == b"+PONG\r\n"


RUN = """
import time
from tests.backends.harness.kinds import NATS, POSTGRES, REDIS
from tests.backends.harness.servers import private

def test_forever():
    with private(REDIS) as redis, private(NATS) as nats, private(POSTGRES) as postgres:
        with open({told!r}, "w") as file:
            for server in (redis, nats, postgres):
                print(server.port, server.folder, file=file)
        time.sleep(300)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_servers_and_folders_of_a_run_that_crashes_are_gone(tmp_path: Path, how: signal.Signals) -> None:
    told = tmp_path / "servers"
    (tmp_path / "test_forever.py").write_text(RUN.format(told=str(told)))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    environ = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    run = subprocess.Popen(
        [*command, str(tmp_path / "test_forever.py")],
        cwd=tmp_path,
        env=environ,
        process_group=0,
        stdout=subprocess.PIPE,
    )
    with run:
        until(lambda: told.exists() and told.read_text().count("\n") == 3)
        servers = [line.split(" ") for line in told.read_text().splitlines()]
        assert all(listens("127.0.0.1", int(port)) for port, _ in servers)
        os.killpg(run.pid, how)
        run.communicate(timeout=DEADLINE)
    until(lambda: not any(listens("127.0.0.1", int(port)) for port, _ in servers))
    until(lambda: not any(Path(folder).exists() for _, folder in servers))


def test_a_server_that_is_named_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEIRIC_TEST_REDIS", "10.1.2.3:777")
    with shared(REDIS) as address:
        assert (address.host, address.port) == ("10.1.2.3", 777)


def test_without_a_running_server_one_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONEIRIC_TEST_REDIS", raising=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with shared(replace(REDIS, port=taken.getsockname()[1])) as address:
            assert listens(address.host, address.port)
    assert not listens(address.host, address.port)


def test_run_by_itself_it_names_the_packages_of_what_is_missing() -> None:
    command, nothing = [sys.executable, "-I", str(CHECKOUT / "tests/backends/harness/kinds.py")], {"PATH": "/nowhere"}
    done = subprocess.run(command, env=nothing, capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert "redis-server" in done.stdout.splitlines()
    assert "npm" not in done.stdout


def test_what_is_not_installed_skips_and_says_what_to_install() -> None:
    missing = replace(REDIS, find=lambda: None)
    with (
        pytest.raises(pytest.skip.Exception, match=r"redis-server`, or .* ONEIRIC_TEST_REDIS=HOST:PORT"),
        private(missing),
    ):
        pass


def test_a_server_that_does_not_start_is_an_error_that_shows_its_log() -> None:
    broken = replace(REDIS, program=lambda program, folder, port: [program, "--no-such-option", "x"])
    with pytest.raises(RuntimeError, match="no-such-option"), private(broken):
        pass


class TestProxy:
    """Each case talks to a Redis server by hand."""

    @pytest.fixture(autouse=True)
    def connected(self) -> Iterator[None]:
        with shared(REDIS) as server, Proxy(server.host, server.port) as self.proxy:
            yield

    def open(self) -> socket.socket:
        return socket.create_connection((self.proxy.host, self.proxy.port), timeout=DEADLINE)

    def test_passes_on_and_counts(self) -> None:
        with self.open() as one, self.open() as two:
            for connection in (one, two):
                connection.sendall(b"PING\r\n")
                assert connection.recv(100) == b"+PONG\r\n"
            assert self.proxy.connections == 2
        until(lambda: self.proxy.connections == 0)

    def test_keeps_back_and_passes_on_later(self) -> None:
        with self.open() as connection:
            self.proxy.mood = "hang"
            connection.sendall(b"PING\r\n")
            connection.settimeout(0.1)
            with pytest.raises(TimeoutError):
                connection.recv(100)
            self.proxy.mood = "pass"
            connection.settimeout(DEADLINE)
            assert connection.recv(100) == b"+PONG\r\n"

    def test_talks_garbage(self) -> None:
        with self.open() as connection:
            self.proxy.mood = "garbage"
            connection.sendall(b"PING\r\n")
            assert connection.recv(5000) == GARBAGE

    def test_stops_half_way(self) -> None:
        with self.open() as connection:
            self.proxy.mood = "half"
            connection.sendall(b"ECHO 12345678\r\n")
            assert connection.recv(100) == b"$8\r\n123"
            assert connection.recv(100) == b""

    def test_drops(self) -> None:
        with self.open() as connection:
            self.proxy.mood = "drop"
            connection.sendall(b"PING\r\n")
            assert ended(connection)
            with self.open() as another:
                assert ended(another)

    def test_resets_what_is_open(self) -> None:
        with self.open() as connection:
            connection.sendall(b"PING\r\n")
            connection.recv(100)
            self.proxy.cut()
            with pytest.raises(ConnectionError):
                connection.recv(100)


def test_a_proxy_that_ends_closes_what_it_accepted_last() -> None:
    with shared(REDIS) as server:
        with Proxy(server.host, server.port) as proxy:
            proxy._loop.call_soon_threadsafe(time.sleep, 0.1)
            place = proxy.host, proxy.port
            connections = [socket.create_connection(place, timeout=DEADLINE / 4) for _ in range(5)]
        for connection in connections:
            with connection:
                assert ended(connection)


def ended(connection: socket.socket) -> bool:
    """Whether the other side is gone, closed or reset."""
    try:
        return connection.recv(100) == b""
    except ConnectionError:
        return True


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "it does not come to that"
        time.sleep(0.02)
