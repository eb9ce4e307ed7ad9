"""The state folder of one process: private to its user, with a socket, a lifecycle snapshot and notes in it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from oneiric.documents import Shape, read
from oneiric.errors import StateError

STATES = ".oneiric"
"""The folder of a project that holds the state folders of its processes, one for each name."""
STATUS_FORMAT = "oneiric.status/1"
SOCKET_PATH_BYTES = 103
"""The longest path of a Unix socket that every supported system takes."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_TEXT: Shape = (str, None)
NOTES: Shape = {...: {...: {"note": str, "since": str}}}
"""By full key and kind, what an operator noted."""
_STATUS: Shape = {
    "format": STATUS_FORMAT,
    "name": str,
    "app": str,
    "profile": str,
    "role?": (str, None),
    "pid": int,
    "state": str,
    "started_at": str,
    "written_at": str,
    "wiring": str,
    "generation": str,
    "overrides": {"overrides": {...: str}, "tenants": {...: {...: str}}},
    "baseline?": {"deployed": str, "baseline": str, "accepted": bool},
    "dropped?": ({"overrides": {...: str}, "tenants": {...: {...: str}}, "reason": str}, None),
    "rejected": ({"generation": str, "reason": str}, None),
    "last_change": ({"what": str, "at": str, "accepted": bool, "reason": _TEXT, "from": str, "to": str}, None),
    "keys": int,
    "components": [
        {"tenant": _TEXT, "domain": str, "key": str, "provider": str, "state": str, "leases": int, "unwell?": _TEXT}
    ],
    "notes": NOTES,
}


class StateFolder:
    """The files of one process by their names."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.status = self.path / "status.json"
        self.notes = self.path / "notes.json"
        self._socket = self.path / "control.sock"

    @classmethod
    def of(cls, root: Path, name: str) -> StateFolder:
        """The folder of a process of the project at `root`. Raises `StateError` for what is not a name."""
        if not _NAME.fullmatch(name):
            raise StateError(f"{name!r} is not a valid process name: use letters, digits, `_`, and inside `.` and `-`")
        return cls(root / STATES / name)

    @classmethod
    def all(cls, root: Path) -> list[StateFolder]:
        """Those of every process of the project that ever left something to ask, sorted by name."""
        paths = sorted(path for path in (root / STATES).glob("*") if _NAME.fullmatch(path.name))
        return [each for each in map(cls, paths) if os.path.lexists(each.status) or os.path.lexists(each._socket)]

    def left(self) -> dict[str, Any] | None:
        """The lifecycle snapshot; None where there is none. Raises `StateError` for one that is damaged."""
        found: dict[str, Any] | None = read(self.status, _STATUS, "remove it: the process writes another one")
        return found

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def socket(self) -> str:
        """The control socket's path, relative to the working directory where that is shorter.

        Raises `StateError` where it is too long for a socket.
        """
        path = min(str(self._socket), os.path.relpath(self._socket), key=len)
        length = len(os.fsencode(path))
        if length > SOCKET_PATH_BYTES:
            raise StateError(
                f"the path of the control socket takes {length} bytes, {SOCKET_PATH_BYTES} are allowed: {path}; "
                "choose a state folder with a shorter path"
            )
        return path

    def make(self) -> None:
        """Make the folder, mode 0700, or tighten the one there is. Raises `StateError` for another user's."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.path.stat().st_uid != os.geteuid():
            raise StateError(f"{self.path} belongs to another user")
        self.path.chmod(0o700)
