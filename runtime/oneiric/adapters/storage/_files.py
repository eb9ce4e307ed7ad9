"""Objects as files of one folder, safe against crashes and other processes. Everything here blocks.

An object is one file: a line of JSON that describes it, then its data. So both are replaced together, by one
rename. The file is named by the SHA-256 of the object's name, in one of 256 shard folders: no name can lead
anywhere else, and names that some file systems confuse (`A` and `a`, `a` and `a/b`) stay apart.

Writers hold the lock of the shard folder while they write `DIGEST.tmp`, flush it to disk and rename it. So
whoever holds the lock and sees a `.tmp` knows that its writer died. Data that takes long to come is written to
`DIGEST.RANDOM.part` (see `_uploads`), which its writer keeps locked. Readers need no lock: an open file stays
what it was.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from oneiric.adapters.storage import Entry, ObjectDamaged, ObjectNotFound, PreconditionFailed, Stored

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_HEADER = 64 * 1024
_HEX = frozenset("0123456789abcdef")


class ObjectFiles:
    """The objects in `base`. Methods raise errors of the port, and `OSError` for what the disk refuses."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def prepare(self, create: bool) -> None:
        """Make sure that the folder is there, and remove what killed writers left."""
        if create:
            self._base.mkdir(mode=0o700, parents=True, exist_ok=True)
        for shard in self.shards():
            with self.locked(shard) as folder:
                for file in os.listdir(folder):
                    if file.endswith(".tmp") or (file.endswith(".part") and _is_left(folder, file)):
                        os.unlink(file, dir_fd=folder)

    def usable(self) -> bool:
        return os.access(self._base, os.R_OK | os.W_OK | os.X_OK)

    def put(
        self,
        name: str,
        data: bytes,
        content_type: str,
        metadata: Mapping[str, str],
        if_absent: bool,
        if_match: str | None,
    ) -> Stored:
        etag = sha256(data).hexdigest()
        header = header_of(name, len(data), etag, content_type, metadata)
        shard, file = place_of(name)
        self.make(shard)
        with self.locked(shard) as folder:
            self.check(name, if_absent, if_match)
            _replace(folder, file, header, data)
        return Stored(name, len(data), etag)

    def open(self, name: str) -> tuple[Entry, BinaryIO]:
        """The object and its file, which is at the start of the data. The caller closes it."""
        shard, file = place_of(name)
        try:
            opened = self._opened(shard, file)
        except FileNotFoundError:
            raise ObjectNotFound(name) from None
        try:
            return _read_header(opened, name), opened
        except BaseException:
            opened.close()
            raise

    def get(self, name: str) -> bytes:
        entry, file = self.open(name)
        with file:
            data = file.read()
        if sha256(data).hexdigest() != entry.etag:
            raise ObjectDamaged(name)
        return data

    def stat(self, name: str) -> Entry:
        entry, file = self.open(name)
        file.close()
        return entry

    def delete(self, name: str) -> bool:
        shard, file = place_of(name)
        try:
            with self.locked(shard) as folder:
                os.unlink(file, dir_fd=folder)
                os.fsync(folder)
        except FileNotFoundError:
            return False
        return True

    def shards(self) -> list[str]:
        return sorted(name for name in os.listdir(self._base) if len(name) == 2 and _HEX.issuperset(name))

    def entries(self, shard: str, prefix: str) -> list[Entry]:
        """The objects of one shard whose names start with `prefix`."""
        with self.locked(shard, fcntl.LOCK_SH) as folder:
            files = [name for name in os.listdir(folder) if len(name) == 62 and _HEX.issuperset(name)]
        found: list[Entry] = []
        for file in files:
            with suppress(FileNotFoundError), self._opened(shard, file) as opened:
                entry = _read_header(opened, f"{shard}/{file}")
                if entry.name.startswith(prefix):
                    found.append(entry)
        return found

    def check(self, name: str, if_absent: bool, if_match: str | None) -> None:
        """Raise `PreconditionFailed` unless the object is as expected."""
        if not if_absent and if_match is None:
            return
        try:
            etag = self.stat(name).etag
        except ObjectNotFound:
            etag = None
        if etag != if_match:
            state = "does not exist" if etag is None else f"has the etag {etag}"
            raise PreconditionFailed(f"{name!r} {state}")

    def make(self, shard: str) -> None:
        """Make the shard's folder if there is none, for good."""
        try:
            (self._base / shard).mkdir(mode=0o700)
        except FileExistsError:
            return
        base = os.open(self._base, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(base)
        finally:
            os.close(base)

    def _opened(self, shard: str, file: str) -> BinaryIO:
        folder = os.open(self._base / shard, _FOLDER)
        try:
            return os.fdopen(os.open(file, _READ, dir_fd=folder), "rb")
        finally:
            os.close(folder)

    @contextmanager
    def locked(self, shard: str, lock: int = fcntl.LOCK_EX) -> Generator[int, None, None]:
        """The shard's folder, open and locked against other threads and processes."""
        folder = os.open(self._base / shard, _FOLDER)
        try:
            fcntl.flock(folder, lock)
            yield folder
        finally:
            os.close(folder)


def place_of(name: str) -> tuple[str, str]:
    """The shard and the file of an object."""
    digest = sha256(name.encode()).hexdigest()
    return digest[:2], digest[2:]


def _is_left(folder: int, file: str) -> bool:
    """Whether nobody writes to this file any more."""
    opened = os.open(file, _READ, dir_fd=folder)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(opened)
    return True


def _replace(folder: int, file: str, header: bytes, data: bytes) -> None:
    temporary = f"{file}.tmp"
    try:
        with open(os.open(temporary, _WRITE, 0o600, dir_fd=folder), "wb") as opened:
            opened.write(header)
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        os.rename(temporary, file, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        raise
    os.fsync(folder)


def _read_header(file: BinaryIO, label: str) -> Entry:
    """The object in `file`; `label` is what an error calls it."""
    line = file.readline(_MAX_HEADER)
    status = os.fstat(file.fileno())
    try:
        entry = _entry(line, status)
        whole = status.st_size == len(line) + entry.size
    except (ValueError, TypeError):
        raise ObjectDamaged(label) from None
    if not whole:
        raise ObjectDamaged(label)
    return entry


def header_of(name: str, size: int, etag: str, content_type: str, metadata: Mapping[str, str]) -> bytes:
    """The first line of an object's file."""
    described = {"name": name, "size": size, "etag": etag, "content_type": content_type, "metadata": dict(metadata)}
    return json.dumps(described).encode() + b"\n"


def _entry(header: bytes, status: os.stat_result) -> Entry:
    described: dict[str, Any] = json.loads(header)
    return Entry(**described, modified=datetime.fromtimestamp(status.st_mtime, UTC))
