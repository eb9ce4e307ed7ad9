"""What a process tells who supervises it: systemd with `Type=notify`, or whoever else sets `NOTIFY_SOCKET`.

Datagrams of lines `NAME=VALUE`, as sd_notify(3) has them: ready, reloading and ready again, stopping. Where
`WATCHDOG_USEC` asks for it, also that the loop turns: that is told from the loop itself, so one that stands still is
missed.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from oneiric.errors import refused

_PATIENCE = 1.0
"""Seconds to wait for a queue of datagrams that is full."""


class Supervisor:
    """Of one process, as `environ` says who that is. Where it says nothing, nobody is told."""

    def __init__(self, environ: Mapping[str, str], log: Any) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._period = _watchdog_period(environ)
        self._log = log
        self._ready = False
        self._reloads = 0

    def ready(self) -> None:
        """Everything that is eager is active."""
        self._ready = True
        self._tell("READY=1")

    def stopping(self) -> None:
        """The process closes what it has; that it is ready is not told again."""
        self._ready = False
        self._tell("STOPPING=1")

    @contextmanager
    def reloading(self) -> Generator[None]:
        """A reload, from when it is asked for until it is taken or rejected; of several at once, until the last is."""
        self._reloads += 1
        if self._ready:
            self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
        try:
            yield
        finally:
            self._reloads -= 1
            if self._ready and not self._reloads:
                self._tell("READY=1")

    @contextmanager
    def watched(self) -> Generator[None]:
        """Tell twice in each period of a watchdog that the loop turns."""
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None

        def beat(period: float) -> None:
            nonlocal timer
            self._tell("WATCHDOG=1")
            timer = loop.call_later(period / 2, beat, period)

        if self._period is not None:
            beat(self._period)
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()

    def _tell(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_PATIENCE)
                sender.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            self._log.warning("the supervisor was not told", told=lines[0], reason=refused(error))


def _address(name: str) -> bytes | None:
    """A path, or a name in Linux's abstract namespace after `@`. Others, as of VSOCK, are not for processes of here."""
    if not name.startswith(("/", "@")):
        return None
    address = os.fsencode(name)
    return b"\0" + address[1:] if name.startswith("@") else address


def _watchdog_period(environ: Mapping[str, str]) -> float | None:
    """The seconds within which a sign of life is wanted of this process; None where it is not, or of another one."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) else None
