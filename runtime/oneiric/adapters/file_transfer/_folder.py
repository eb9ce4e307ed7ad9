"""Files below a folder of a disk, safe against paths that lead out of it. Everything here blocks.

Each part of a path is opened by itself and none through a symbolic link, so that nobody who can write to the folder
leads a reader or writer elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from types import TracebackType
from typing import BinaryIO, Self

from oneiric.adapters.file_transfer import FileMissing, RemoteFile, is_part, unfinished

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_BELOW = _FOLDER | os.O_NOFOLLOW
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # no waiting for who writes to a pipe
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Folder:
    """Methods raise errors of the port, and `OSError` for what the disk refuses."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def prepare(self, create: bool) -> None:
        """See that the folder is there."""
        if create:
            self._base.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._base, _FOLDER))

    def usable(self) -> bool:
        return os.access(self._base, os.R_OK | os.W_OK | os.X_OK)

    def open(self, path: str) -> BinaryIO:
        """The file, for reading. The caller closes it."""
        try:
            with self.above(path) as (folder, name):
                opened = os.open(name, _READ, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError):
            raise FileMissing(path, provider="local") from None
        if not S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            raise FileMissing(path, provider="local")
        return os.fdopen(opened, "rb")

    def get(self, path: str) -> bytes:
        with self.open(path) as file:
            return file.read()

    def stat(self, path: str) -> RemoteFile:
        with self.open(path) as file:
            return _told(path, os.fstat(file.fileno()))

    def delete(self, path: str) -> bool:
        try:
            with self.above(path) as (folder, name):
                if not S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                    return False
                os.unlink(name, dir_fd=folder)
                os.fsync(folder)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def list(self, folder: str) -> list[RemoteFile]:
        found: list[RemoteFile] = []
        try:
            with self.above(f"{folder}/." if folder else ".") as (opened, _):
                for name in sorted(filter(is_part, os.listdir(opened))):
                    with suppress(FileNotFoundError):
                        status = os.stat(name, dir_fd=opened, follow_symlinks=False)
                        if S_ISREG(status.st_mode):
                            found.append(_told(f"{folder}/{name}" if folder else name, status))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return found

    @contextmanager
    def above(self, path: str, *, create: bool = False) -> Generator[tuple[int, str], None, None]:
        """The folder that holds this, open, and the last part of the path."""
        *parts, name = path.split("/")
        folder = os.open(self._base, _FOLDER)
        try:
            for part in parts:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(part, 0o700, dir_fd=folder)
                        os.fsync(folder)
                below = os.open(part, _BELOW, dir_fd=folder)
                os.close(folder)
                folder = below
            yield folder, name
        finally:
            os.close(folder)


class Upload:
    """A file that is there under its path by `commit`, and else is gone when its block is left."""

    def __init__(self, folder: Folder, path: str) -> None:
        self._above = folder.above(path, create=True)
        self._part = unfinished()
        self._is_left = True

    def __enter__(self) -> Self:
        self._folder, self._name = self._above.__enter__()
        try:
            self._file = open(os.open(self._part, _NEW, 0o600, dir_fd=self._folder), "wb", buffering=0)
        except BaseException:
            self._above.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # of a disk that refused already
            self._file.close()
        if self._is_left:
            with suppress(OSError):
                os.unlink(self._part, dir_fd=self._folder)
        self._above.__exit__(None, None, None)

    def write(self, piece: memoryview) -> None:
        while piece:
            piece = piece[self._file.write(piece) :]

    def commit(self) -> None:
        os.fsync(self._file.fileno())
        os.rename(self._part, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._is_left = False
        os.fsync(self._folder)


def _told(path: str, status: os.stat_result) -> RemoteFile:
    return RemoteFile(path, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
