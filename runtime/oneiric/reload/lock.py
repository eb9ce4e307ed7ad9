"""The lock of a state folder: one process has it at a time, and a child that is forked from it never."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from weakref import WeakSet

from oneiric.errors import StateError

_ALL: WeakSet[Lock] = WeakSet()


class Lock:
    """Of one file. The process has it until everyone in it who took it has let it go."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._takers = 0
        self._descriptor = -1
        _ALL.add(self)

    def take(self) -> None:
        """Raises `StateError` where another process has it, `OSError`."""
        if not self._takers:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                self.leave()
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
                raise StateError(f"another process has the state folder {self._path.parent}") from None
        self._takers += 1

    @property
    def taken(self) -> bool:
        """Whether this process has it."""
        return self._takers > 0

    def let_go(self) -> None:
        """Once for each time that it was taken; in a forked child there is nothing to let go."""
        if self._takers:
            self._takers -= 1
            if not self._takers:
                self.leave()

    def leave(self) -> None:
        """Close this process's descriptor: the lock is free when none is open, here or in the parent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._takers = -1, 0


def _leave_to_the_parent() -> None:
    for each in list(_ALL):
        each.leave()


os.register_at_fork(after_in_child=_leave_to_the_parent)
