"""The folder of pinned manifests: staged whole and on disk, then moved in place, the lock last.

A crash leaves the old state, the new one, or one whose lock does not match, which a compile and `--check` report.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from oneiric.files import fill, sync

from oneiric_compiler.manifests.lock import ARTIFACTS, FOLDER, NAME, Lock, parse_lock, render_lock

_STAGING = ".staging"
_WIRINGS = ("wiring.py", "tenants.jsonl")


class Pins:
    """The pinned manifests of the project at `root`, whose outputs lie in `output`. Used by one process at a time."""

    def __init__(self, root: Path, output: str) -> None:
        self.shown = f"{output}/{FOLDER}"
        self.folder = root / self.shown
        self._root, self._output = root, root / output

    def lock(self) -> Lock:
        """What is pinned; nothing where there is no lock. Raises `LockError`, `OSError`."""
        try:
            data = (self.folder / NAME).read_bytes()
        except FileNotFoundError:
            return Lock()
        return parse_lock(data)

    def bytes_of(self, file: str, digest: str) -> bytes | None:
        """A file's bytes, if it is there and they are of that SHA-256."""
        try:
            data = (self.folder / file).read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == digest else None

    @contextmanager
    def batch(self) -> Generator[Batch]:
        """Where files are gathered until all of them are there. What is not committed is gone at the end."""
        stage = Batch(self.folder)
        stage.clear()
        try:
            yield stage
        finally:
            stage.clear()

    def saved(self) -> dict[str, bytes]:
        """The lock and the manifests as they are, to go back to."""
        files = [path for path in self.folder.glob("[!.]*") if path.is_file()]
        return {path.name: path.read_bytes() for path in files}

    def restore(self, saved: dict[str, bytes]) -> None:
        """Go back to what was saved. The artifacts of then are still there, as long as nothing was removed."""
        with self.batch() as stage:
            for name, data in saved.items():
                stage.put(name, data)
            stage.move(NAME)
        for path in self.folder.glob("[!.]*"):
            if path.is_file() and path.name not in saved:
                path.unlink()

    def remove_unnamed(self, lock: Lock) -> None:
        """Remove what neither the lock names, nor, of artifacts, any wiring that may be started or returned to."""
        _refuse_links(self.folder)
        named = _named(lock)
        left = [self.folder / name for name in self.strangers(lock)]
        found = [path for path in (self.folder / ARTIFACTS).glob("[!.]*") if not path.is_dir()]
        artifacts = [path for path in found if f"{ARTIFACTS}/{path.name}" not in named]
        if artifacts:
            wirings = b"\n".join(path.read_bytes() for path in self._wirings())
            left += [path for path in artifacts if path.stem.encode() not in wirings]
        for path in left:
            path.unlink(missing_ok=True)

    def strangers(self, lock: Lock) -> list[str]:
        """Files beside the lock that it does not name; of artifacts, none that it does not name is ever used."""
        found = [path.name for path in self.folder.glob("[!.]*") if not path.is_dir()]
        return sorted(set(found) - _named(lock))

    def _wirings(self) -> Iterator[Path]:
        for name in _WIRINGS:
            yield from self._output.glob(f"**/{name}")
            yield from self._root.glob(f".oneiric/*/generations/*/**/{name}")


class Batch:
    """Files on their way into a folder, whole and on disk before any of them is moved."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stage = folder / _STAGING
        self._staged: list[str] = []

    def put(self, name: str, data: bytes) -> None:
        """Stage a file, unless it lies in the folder already. Raises `OSError`."""
        if name in self._staged or _holds(self._folder / name, data):
            return
        path = self._stage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fill(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), data)
        self._staged.append(name)

    def commit(self, lock: Lock) -> bool:
        """Move what a lock names in place, the lock last; whether anything changed. Raises `OSError`."""
        self._staged = [name for name in self._staged if name in _named(lock)]
        if lock.sources or (self._folder / NAME).exists():
            self.put(NAME, render_lock(lock))
        return self.move(NAME)

    def move(self, last: str) -> bool:
        """Move what is staged in place, `last` after all else; whether there was anything. Raises `OSError`."""
        _refuse_links(self._folder)
        moved = list(self._staged)
        for name in sorted(moved, key=lambda name: (name == last, "/" not in name, name)):
            target = self._folder / name
            target.parent.mkdir(exist_ok=True)
            if name == last:
                sync(self._folder)
            os.replace(self._stage / name, target)
            self._staged.remove(name)
        if moved:
            sync(self._folder)
        return bool(moved)

    def clear(self) -> None:
        """Forget what is staged, and what a sync before left when it was killed."""
        if self._stage.is_symlink():
            self._stage.unlink()
        shutil.rmtree(self._stage, ignore_errors=True)
        self._staged.clear()


def _named(lock: Lock) -> set[str]:
    """The files that a lock stands for, itself included, relative to the folder."""
    pins = lock.sources.values()
    return {NAME, *(pin.file for pin in pins), *(each.file for pin in pins for each in pin.artifacts.values())}


def _refuse_links(folder: Path) -> None:
    """What a link leads to is not of this project: nothing is written there, and above all nothing removed."""
    for each in (folder, folder / ARTIFACTS):
        if each.is_symlink():
            raise OSError(errno.ELOOP, f"{each.name} is a symbolic link", str(each))


def _holds(path: Path, data: bytes) -> bool:
    try:
        return not path.is_symlink() and path.read_bytes() == data
    except OSError:
        return False
