"""Connections that ask for nothing, or read nothing: whoever asks a probe meanwhile is answered."""

from __future__ import annotations

import json
import resource
import select
import socket
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

import pytest
from oneiric.serve import gate

from tests.unit.serve.serving import Served, command, until

MANY = 300
HALVES = [b"", b"GET /healthz HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n12"]


def _port(served: Served) -> int:
    return int(served.ask("status")["address"].rpartition(":")[2])


def _get(port: int, path: str, host: str = "127.0.0.1", family: int = socket.AF_INET) -> bytes:
    with socket.socket(family) as end:
        end.settimeout(20)
        end.connect((host, port))
        end.sendall(f"GET {path} HTTP/1.1\r\nHost: probe.example\r\n\r\n".encode())
        answer = b""
        while chunk := end.recv(65536):
            answer += chunk
    return answer


def _local(port: int, path: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as end:
        end.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        answer = b""
        while chunk := end.recv(65536):
            answer += chunk
    return answer


def test_half_a_request_from_many_keeps_nobody_out(project: Path) -> None:
    with Served(project, "--port", "0") as served, ExitStack() as ends:
        port = _port(served)
        if hasattr(resource, "prlimit"):  # as many descriptors as macOS gives a process
            resource.prlimit(served.process.pid, resource.RLIMIT_NOFILE, (256, 256))
        held = [ends.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20)) for _ in range(MANY)]
        for end, half in zip(held, cycle(HALVES), strict=False):
            end.sendall(half)
        assert _local(port, "/healthz").startswith(b"HTTP/1.1 200")
        assert served.state() == "running"
        until(lambda: len(select.select(held, [], [], 0)[0]) >= MANY - gate.MOST)
        until(lambda: len(select.select(held, [], [], 0)[0]) == MANY)
        assert _local(port, "/healthz").startswith(b"HTTP/1.1 200")


def test_who_does_not_read_the_answer_is_let_go(project: Path) -> None:
    """The answer of `/status` is made larger than what the system keeps for a reader that does not read."""
    with Served(project, "--port", "0") as served, ExitStack() as ends:
        port = _port(served)
        served.note("pause", "service:lazy", "long " * 10_000)
        for _ in range(MANY):
            end = ends.enter_context(socket.socket())
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            end.settimeout(20)
            end.connect(("127.0.0.1", port))
            end.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head, _, body = _local(port, "/status").partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert json.loads(body)["name"] == "lab"


def test_half_a_request_at_the_control_socket_keeps_nobody_out(project: Path) -> None:
    with Served(project) as served, ExitStack() as ends:
        held = []
        for _ in range(MANY):
            end = ends.enter_context(socket.socket(socket.AF_UNIX))
            until(lambda end=end: end.connect_ex(served.folder.socket) == 0)  # type: ignore[misc]
            end.sendall(b"POST /swap HTTP/1.1\r\n")
            held.append(end)
        assert json.loads(command(project, "status", "--json").stdout)["state"] == "running"
        until(lambda: len(select.select(held, [], [], 0)[0]) == MANY)


def test_probes_from_outside_are_two_and_no_more(project: Path) -> None:
    with Served(project, "--http", "0.0.0.0:0") as served:
        status = served.ask("status")
        assert status["address"] is None
        port = int(status["http"].rpartition(":")[2])
        assert _get(port, "/healthz").startswith(b"HTTP/1.1 200")
        ready = _get(port, "/readyz")
        assert ready.startswith(b"HTTP/1.1 200")
        assert b"greeter" not in ready
        for path in ("/status", "/", "/keys"):
            assert _get(port, path).startswith(b"HTTP/1.1 404")


def test_the_probes_from_outside_are_where_they_are_put(project: Path) -> None:
    with Served(project, "--http", "[::1]:0", "--port", "0") as served:
        status = served.ask("status")
        assert status["http"].startswith("http://[::1]:")
        assert status["address"] != status["http"]
        assert _get(int(status["http"].rpartition(":")[2]), "/readyz", "::1", socket.AF_INET6).startswith(
            b"HTTP/1.1 200"
        )


@pytest.mark.parametrize("text", ["8080", ":8080", "0.0.0.0", "a:b", "::1:80", "[::1]", "h:70000", "h:" + "9" * 6000])
def test_what_names_no_host_and_port_is_a_mistake(project: Path, text: str) -> None:
    assert "does not name an address and a port" in command(project, "serve", "--http", text, code=2).stderr


def test_an_address_that_cannot_be_had_is_an_error_that_names_it(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = command(project, "serve", "--http", f"127.0.0.1:{port}", code=2).stderr
    assert f"127.0.0.1:{port} is taken" in told
    assert "nowhere.invalid:80" in command(project, "serve", "--http", "nowhere.invalid:80", code=2).stderr
