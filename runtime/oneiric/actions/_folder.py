"""Files that payloads name, within one folder that the settings name: no path and no link leads out of it."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager
from errno import ELOOP, ENAMETOOLONG
from pathlib import Path, PurePosixPath

from oneiric.actions import ActionRefused, ActionUnavailable
from oneiric.actions._payload import Fields
from oneiric.errors import ActionError

_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW
_NAMED_WRONG = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)


class Folder:
    """A folder, each file of which is read and replaced whole.

    A file is opened folder by folder, each relative to the one before and none through a link, so that what somebody
    changes meanwhile leads nowhere else.
    """

    def __init__(self, root: Path, key: str, checks: Fields) -> None:
        self._root = root
        self._key = key
        self._checks = checks

    def read(self, path: str, most: int) -> bytes:
        """What a file holds, if it is no more than so many bytes."""
        with self._around(path) as (folder, name), open(_opened(name, folder), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise self._checks.wrong("path", "is not a file")
            data = file.read(most + 1)
        if len(data) > most:
            raise self._checks.wrong("path", f"leads to a file of more than {most} bytes")
        return data

    def write(self, path: str, data: bytes) -> None:
        """Put a file in place of what is there: others see the old one or the new one, and never a part."""
        temporary = f".{secrets.token_hex(12)}.tmp"
        with self._around(path) as (folder, name):
            place = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o666, dir_fd=folder)
            try:
                with open(place, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                os.unlink(temporary, dir_fd=folder)
                raise

    @contextmanager
    def _around(self, path: str) -> Generator[tuple[int, str]]:
        """The folder that a file is in, open, and its name there; errors of the system as those of the action."""
        *folders, name = self._parts(path)
        place = -1
        try:
            place = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            for each in folders:
                inner = os.open(each, os.O_RDONLY | os.O_DIRECTORY | _OPEN, dir_fd=place)
                os.close(place)
                place = inner
            yield place, name
        except OSError as error:
            raise self._told(error) from None
        finally:
            if place >= 0:
                os.close(place)

    def _parts(self, path: str) -> tuple[str, ...]:
        pure = PurePosixPath(path)
        if "\0" in path or pure.is_absolute() or not pure.parts or ".." in pure.parts:
            raise self._checks.wrong("path", "is not the path of a file within the folder of the settings")
        return pure.parts

    def _told(self, error: OSError) -> ActionError:
        reason = error.strerror or type(error).__name__
        if isinstance(error, _NAMED_WRONG) or error.errno in (ELOOP, ENAMETOOLONG):
            return self._checks.wrong("path", f"leads to no file within the folder of the settings: {reason}")
        kind = ActionRefused if isinstance(error, PermissionError) else ActionUnavailable
        return kind(f"cannot be used: {reason}", key=self._key, field="path")


def _opened(name: str, folder: int) -> int:
    """Not waiting for a writer, should it be a pipe."""
    return os.open(name, os.O_RDONLY | os.O_NONBLOCK | _OPEN, dir_fd=folder)
