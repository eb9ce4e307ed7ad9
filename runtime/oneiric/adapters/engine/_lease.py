"""How the processes of one engine know which of them are gone: each holds a lock that ends with it.

On PostgreSQL it is an advisory lock of a session that is pinged by a thread of its own; the server ends a session that
is silent, so that a frozen process or one behind a cut network counts as gone. On SQLite it is an `flock` of a file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import psycopg


class Lease(Protocol):
    """One process's sign of life, and how it sees that of others."""

    def hold(self, name: str) -> None:
        """Be alive under this name, until `release`."""
        ...

    def release(self) -> None: ...

    def dead(self, name: str) -> Any:
        """A block in which it is known whether that process is gone; nobody else is told so at the time."""
        ...


class SessionLease:
    """Of a PostgreSQL server. `silence`: seconds after which it ends a session that says nothing."""

    def __init__(self, connect: Callable[[], psycopg.Connection], scope: str, silence: float) -> None:
        self._connect = connect
        self._scope = scope
        self._silence = silence
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def hold(self, name: str) -> None:
        self._ended.clear()
        connection = self._taken(name)
        self._thread = threading.Thread(target=self._ping, args=(name, connection), name="oneiric-lease", daemon=True)
        self._thread.start()

    def release(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @contextmanager
    def dead(self, name: str) -> Generator[bool, None, None]:
        with self._connect() as connection:
            row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (self._key(name),)).fetchone()
            yield bool(row and row[0])

    def _taken(self, name: str) -> psycopg.Connection:
        connection = self._connect()
        connection.autocommit = True
        connection.execute(f"SET idle_session_timeout = {int(self._silence * 1000)}".encode())
        connection.execute("SELECT pg_advisory_lock(%s)", (self._key(name),))
        return connection

    def _ping(self, name: str, connection: psycopg.Connection | None) -> None:
        while not self._ended.wait(self._silence / 5):
            try:
                if connection is None:
                    connection = self._taken(name)
                connection.execute("SELECT 1")
            except psycopg.Error:  # the lock is gone with the session: take it again as soon as the server answers
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _key(self, name: str) -> int:
        digest = hashlib.sha256(f"oneiric/{self._scope}/{name}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)


class FileLease:
    """Of a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: tuple[Path, int] | None = None

    def hold(self, name: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / name
        file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        self._held = path, file

    def release(self) -> None:
        if self._held is not None:
            path, file = self._held
            path.unlink(missing_ok=True)
            os.close(file)
            self._held = None

    @contextmanager
    def dead(self, name: str) -> Generator[bool, None, None]:
        path = self._folder / name
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            yield True
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
            with suppress(FileNotFoundError):
                path.unlink()
        finally:
            os.close(file)
