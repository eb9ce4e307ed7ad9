"""What SQLite asks of whoever opens a file that others open too."""

from __future__ import annotations

import sqlite3
import time

_PAUSE = 0.005  # seconds


def set_pragma(connection: sqlite3.Connection, name: str, value: str | int, wait: float) -> None:
    """Set it, waiting up to `wait` seconds for who holds the file.

    SQLite's own timeout does not serve `journal_mode`: of two that turn a new file to `wal` at once, one is refused
    without a wait, lest both wait for each other (https://www.sqlite.org/c3ref/busy_handler.html).

    Raises:
        sqlite3.Error: as SQLite has it.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            connection.execute(f"PRAGMA {name} = {value}")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)
