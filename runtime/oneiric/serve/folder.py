"""The state folder of one process: private to its user, with a socket, a lifecycle snapshot and notes in it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, cast

from oneiric.errors import OneiricError

STATES = ".oneiric"
"""The folder of a project that holds the state folders of its processes, one for each name."""
STATUS_FORMAT = "oneiric.status/1"
SOCKET_PATH_BYTES = 103
"""The longest path of a Unix socket that every supported system takes."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


class FolderError(OneiricError):
    """A state folder cannot be used; the text says why."""


class StateFolder:
    """The files of one process by their names."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.status = self.path / "status.json"
        self.notes = self.path / "notes.json"
        self._socket = self.path / "control.sock"

    @classmethod
    def of(cls, root: Path, name: str) -> StateFolder:
        """The folder of a process of the project at `root`. Raises `FolderError` for what is no name."""
        if not _NAME.fullmatch(name):
            raise FolderError(f"{name!r} is no name of a process: use letters, digits, `_`, and inside `.` and `-`")
        return cls(root / STATES / name)

    @classmethod
    def all(cls, root: Path) -> list[StateFolder]:
        """Those of every process of the project that ever left something to ask, sorted by name."""
        paths = sorted(path for path in (root / STATES).glob("*") if _NAME.fullmatch(path.name))
        return [folder for folder in map(cls, paths) if folder.status.exists() or folder._socket.exists()]

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def socket(self) -> str:
        """The control socket's path, relative to the working directory where that is shorter.

        Raises `FolderError` where it is too long for a socket.
        """
        path = min(str(self._socket), os.path.relpath(self._socket), key=len)
        length = len(os.fsencode(path))
        if length > SOCKET_PATH_BYTES:
            raise FolderError(
                f"the path of the control socket takes {length} bytes, {SOCKET_PATH_BYTES} are allowed: {path}; "
                "choose a state folder with a shorter path"
            )
        return path

    def make(self) -> None:
        """Make the folder, mode 0700, or tighten the one there is. Raises `FolderError` for another user's."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.path.stat().st_uid != os.geteuid():
            raise FolderError(f"{self.path} belongs to another user")
        self.path.chmod(0o700)


def write_json(path: Path, document: object) -> None:
    """Replace a file by a JSON document, mode 0600, at once: readers see the old or the new. Raises `OSError`."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read_json(path: Path, format: str) -> dict[str, Any] | None:
    """The document of a file; None where there is none. Raises `FolderError` for one of another format."""
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        document = None
    found = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    if found.get("format") != format:
        raise FolderError(f"{path} is no {format}")
    return found
