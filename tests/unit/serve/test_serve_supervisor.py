"""What a process tells its supervisor: each datagram, at the path or the abstract name that the environment has."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from oneiric.logging import get_logger
from oneiric.serve.supervisor import Supervisor

from tests.unit.runtime.making import run
from tests.unit.serve.serving import Served, select

ADDRESSES = ["path", *(["abstract"] if sys.platform == "linux" else [])]


class Listener:
    """In the place of systemd: its socket, and what is said there."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(20)
        self._socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)

    def next(self) -> bytes:
        """The next datagram."""
        return self._socket.recv(4096)

    def heard(self) -> dict[str, str]:
        """The next one that is not for a watchdog."""
        while (told := self.next()) == b"WATCHDOG=1":
            pass
        return dict(line.split("=", 1) for line in told.decode().split("\n"))

    def waiting(self) -> list[bytes]:
        """What is there already."""
        found: list[bytes] = []
        self._socket.setblocking(False)
        try:
            while True:
                found.append(self._socket.recv(4096))
        except BlockingIOError:
            return found
        finally:
            self._socket.settimeout(20)

    def close(self) -> None:
        self._socket.close()


@contextmanager
def listening(kind: str = "path") -> Generator[Listener]:
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())  # short: a path of a socket is
        listener = Listener(f"@{folder}" if kind == "abstract" else f"{folder}/notify")
        stack.callback(listener.close)
        yield listener


def supervisor(**environ: str) -> Supervisor:
    return Supervisor(environ, get_logger())


@pytest.mark.parametrize("kind", ADDRESSES)
def test_a_process_tells_of_start_reloads_and_end(kind: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(kind) as listener:
        monkeypatch.setenv("NOTIFY_SOCKET", listener.address)
        monkeypatch.setenv("WATCHDOG_USEC", "60000000")
        with Served(project) as served:
            assert listener.next() == b"WATCHDOG=1"
            assert listener.heard() == {"READY": "1"}
            since = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            select(project, "loud")
            served.signal(signal.SIGHUP)
            told = listener.heard()
            assert int(told.pop("MONOTONIC_USEC")) >= since
            assert (told, listener.heard()) == ({"RELOADING": "1"}, {"READY": "1"})
            select(project, "broken")
            assert not served.reload()["accepted"]
            assert (listener.heard()["RELOADING"], listener.heard()) == ("1", {"READY": "1"})
            served.reload(plan=True)
            served.signal(signal.SIGTERM)
            assert listener.heard() == {"STOPPING": "1"}
            assert served.wait() == 0
        assert {*listener.waiting()} <= {b"WATCHDOG=1"}


def test_what_does_not_start_is_never_ready(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    select(project, "broken")
    with listening() as listener:
        monkeypatch.setenv("NOTIFY_SOCKET", listener.address)
        served = Served(project)
        assert served.wait() == 1
        assert listener.waiting() == []


def test_of_several_reloads_the_last_makes_it_ready() -> None:
    with listening() as listener:
        told = supervisor(NOTIFY_SOCKET=listener.address)
        with told.reloading():
            assert listener.waiting() == []
        told.ready()
        with told.reloading(), told.reloading():
            pass
        assert [re.sub(r"\d{2,}", "N", each.decode()) for each in listener.waiting()] == [
            "READY=1",
            *["RELOADING=1\nMONOTONIC_USEC=N"] * 2,
            "READY=1",
        ]
        with told.reloading():
            told.stopping()
        assert listener.waiting()[1:] == [b"STOPPING=1"]


def test_the_loop_itself_is_what_a_watchdog_sees() -> None:
    async def work(listener: Listener, told: Supervisor) -> None:
        with told.watched():
            while len(seen) < 3:
                seen.extend(listener.waiting())
                await asyncio.sleep(0.005)
            time.sleep(0.05)
            listener.waiting()
            time.sleep(0.05)
            assert listener.waiting() == []
        await asyncio.sleep(0.05)
        assert listener.waiting() == []

    seen: list[bytes] = []
    with listening() as listener:
        pid = str(os.getpid())
        run(work(listener, supervisor(NOTIFY_SOCKET=listener.address, WATCHDOG_USEC="20000", WATCHDOG_PID=pid)))
    assert {*seen} == {b"WATCHDOG=1"}


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}],
    ids=["none", "zero", "no number", "of another process"],
)
def test_where_no_watchdog_is_nothing_is_told_to_it(environ: dict[str, str]) -> None:
    async def work() -> None:
        with supervisor(NOTIFY_SOCKET=listener.address, **environ).watched():
            await asyncio.sleep(0.01)

    with listening() as listener:
        run(work())
        assert listener.waiting() == []


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative"])
def test_an_address_that_is_no_socket_of_here_is_passed_over(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    supervisor(NOTIFY_SOCKET=address).ready()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("address", "why"), [("/nowhere/at/all", "No such file"), (f"/{'a' * 200}", "path too long")])
def test_a_supervisor_that_is_gone_is_logged_and_nothing_fails(address: str, why: str) -> None:
    class Log:
        def warning(self, event: str, **facts: Any) -> None:
            logged.append((event, facts))

    logged: list[tuple[str, dict[str, Any]]] = []
    Supervisor({"NOTIFY_SOCKET": address}, Log()).ready()
    ((event, facts),) = logged
    assert (event, facts["told"]) == ("the supervisor was not told", "READY=1")
    assert why in facts["reason"]
