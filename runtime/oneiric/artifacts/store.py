"""The store that artifacts are unpacked in: a folder for each SHA-256, whole or not there.

It is only a place to import from: what it holds is compared with the pinned bytes at every start.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from pathlib import Path

from oneiric.artifacts.contents import ArtifactError, Contents

_PART = ".part-"
_STALE = 86_400
"""Seconds after which what a killed process left half unpacked is removed."""


def unpacked(digest: str, contents: Contents) -> Path:
    """The folder that holds exactly these files: in the store, or in a private folder where there can be none."""
    try:
        store = _store()
        place = store / digest
        if not _there(place):
            _unpack(store, place, contents)
    except OSError:
        place = _privately(digest, contents)
    _compare(place, contents)
    return place


def _there(place: Path) -> bool:
    """Whether a folder is there. Raises `PermissionError` for one that another user may change."""
    try:
        found = place.lstat()
    except FileNotFoundError:
        return False
    if found.st_uid not in (os.geteuid(), 0):
        raise PermissionError("another user's")
    return True


def _store() -> Path:
    """Raises `OSError` where the user has no home."""
    if chosen := os.environ.get("ONEIRIC_ARTIFACTS"):
        return Path(chosen).absolute()
    cache = os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    if not os.path.isabs(cache):
        raise FileNotFoundError("no folder for caches")
    return Path(cache, "oneiric", "artifacts")


def _remove(folder: Path, owner: int) -> None:
    """At the exit of the process that made it, and of no child that was forked from it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _privately(digest: str, contents: Contents) -> Path:
    try:
        folder = Path(tempfile.mkdtemp(prefix="oneiric-artifacts-"))
        atexit.register(_remove, folder, os.getpid())
        _write_files(folder / digest, contents)
    except OSError as error:
        raise ArtifactError(f"artifacts can be unpacked nowhere: {error.strerror or error}") from error
    return folder / digest


def _unpack(store: Path, place: Path, contents: Contents) -> None:
    """Write beside the place, then move there at once; of two processes that do so the second finds it done."""
    store.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = store.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError("others may write there")
    for left in store.glob(f"{_PART}*"):
        if time.time() - left.lstat().st_mtime > _STALE:
            shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=_PART, dir=store))
    try:
        _write_files(part, contents)
        os.rename(part, place)
    except OSError:
        if not place.is_dir():
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_files(folder: Path, contents: Contents) -> None:
    """Write all, then wait for the disk once: after each file it would take a hundred times as long."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for path, data in contents.files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400)
        with open(descriptor, "wb") as file:
            file.write(data)
    os.sync()


def _compare(folder: Path, contents: Contents) -> None:
    """Raises `ArtifactError` unless the folder holds these files as they are, and no other."""
    left = dict(contents.files)
    try:
        if folder.is_symlink():
            raise ArtifactError(_altered(folder, folder))
        for parent, folders, files in os.walk(folder, onerror=_raise):
            for name in (*folders, *files):
                path = Path(parent, name)
                expected = None if name in folders else left.pop(path.relative_to(folder).as_posix(), None)
                if path.is_symlink() or (name in files and (expected is None or path.read_bytes() != expected)):
                    raise ArtifactError(_altered(folder, path))
    except OSError as error:
        raise ArtifactError(f"the store cannot be read: {error.filename}: {error.strerror or error}") from error
    if left:
        raise ArtifactError(_altered(folder, folder / min(left)))


def _raise(error: OSError) -> None:
    raise error


def _altered(folder: Path, path: Path) -> str:
    return f"the store was altered: {path} is not of the artifact; remove {folder} once you know why"
