"""What those that follow a state folder leave in it: a file and a lock for each process, swept when it is dead."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from oneiric.documents import Shape, read
from oneiric.errors import StateError

FORMAT = "oneiric.follower/1"
FOLDER = "followers"
_SHAPE: Shape = {
    "format": FORMAT,
    "pid": int,
    "generation": str,
    "seen": (str, None),
    "accepted": bool,
    "reason": (str, None),
    "looked": (str, None),
}


class Following(NamedTuple):
    """What a follower says: the generation that it runs, the owner's that it has `seen` last, and whether it took that
    (ACK) or why not (NACK). `looked` is the stamp of the owner's record that this is about."""

    pid: int
    generation: str
    seen: str | None
    accepted: bool
    reason: str | None
    looked: str | None = None


def followers(folder: Path) -> list[Following]:
    """Those that live, by their process ids; what dead ones left is removed."""
    found: list[Following] = []
    for lock in sorted((folder / FOLDER).glob("*.lock")):
        if not lock.stem.isdecimal():
            continue
        if not _swept(lock):
            found.append(_said(lock.with_suffix(".json")))
    return sorted(found)


def _said(own: Path) -> Following:
    pid = int(own.stem)
    try:
        document: dict[str, Any] | None = read(own, _SHAPE, "it is written again with the next change")
    except StateError as error:
        return Following(pid, "", None, False, str(error))
    if document is None:
        return Following(pid, "", None, False, "it has written nothing yet")
    return Following(*(document[name] for name in Following._fields))._replace(pid=pid)


def _swept(lock: Path) -> bool:
    """Whether its process is dead: then what it left is removed, before another of its id can have the lock. Several
    may look at once; only a follower has it for itself."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        remove(lock.with_suffix(".json"))
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def remove(own: Path) -> None:
    """Remove what a process left, by the path of its file."""
    for path in (own, own.with_suffix(".lock")):
        with suppress(OSError):
            path.unlink()
