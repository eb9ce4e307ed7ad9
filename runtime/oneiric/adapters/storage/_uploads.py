"""Objects whose data takes long to come: files beside the objects, until they are whole. Everything here blocks."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from secrets import token_hex
from types import TracebackType
from typing import Self

from oneiric.adapters.storage import Stored
from oneiric.adapters.storage._files import ObjectFiles, header_of, place_of

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LARGEST = 10**20  # no size has more digits


class Upload:
    """A file that becomes an object by `commit`, and else is gone when its block is left.

    The header is written last, in place of a line of the same length. The file is locked as long as somebody writes,
    since it was made under the lock of the shard: one that is not was left by a writer that died.
    """

    def __init__(self, files: ObjectFiles, name: str, content_type: str, metadata: Mapping[str, str]) -> None:
        self._files = files
        self._name = name
        self._described = (content_type, metadata)
        self._shard, self._file = place_of(name)
        self._part = f"{self._file}.{token_hex(8)}.part"
        self._size = 0
        self._digest = sha256()
        self._width = len(self._header(_LARGEST))

    def __enter__(self) -> Self:
        self._files.make(self._shard)
        with self._files.locked(self._shard) as folder:
            self._opened = open(os.open(self._part, _NEW, 0o600, dir_fd=folder), "wb")
            fcntl.flock(self._opened, fcntl.LOCK_EX)
        self._opened.seek(self._width)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # of a disk that refused already
            self._opened.close()
        with suppress(OSError), self._files.locked(self._shard, fcntl.LOCK_SH) as folder:
            os.unlink(self._part, dir_fd=folder)

    def write(self, piece: bytes) -> None:
        self._opened.write(piece)
        self._digest.update(piece)
        self._size += len(piece)

    def commit(self, if_absent: bool, if_match: str | None) -> Stored:
        self._opened.seek(0)
        self._opened.write(self._header(self._size).rstrip(b"\n").ljust(self._width - 1) + b"\n")
        self._opened.flush()
        os.fsync(self._opened.fileno())
        with self._files.locked(self._shard) as folder:
            self._files.check(self._name, if_absent, if_match)
            os.rename(self._part, self._file, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        return Stored(self._name, self._size, self._digest.hexdigest())

    def _header(self, size: int) -> bytes:
        return header_of(self._name, size, self._digest.hexdigest(), *self._described)
