"""The port `file_transfer`: files of a folder, here or on somebody else's server, as they are found there."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Protocol

from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

MAX_PATH = 1024
"""Bytes of a path in UTF-8, at most."""
MAX_PART = 255
"""Bytes of one part of a path in UTF-8, at most."""
PIECE = 256 * 1024
"""Bytes that providers write at once, at most."""


class FileTransferError(AdapterError):
    """Anything that a file transfer raises."""

    key = "file_transfer"


class FileTransferClosed(FileTransferError, Closed):
    """It was closed, or not started yet."""


class FileTransferUnavailable(FileTransferError, Unavailable):
    """The place of the files does not answer, or not in time, fails, or is full.

    A put that was under way may have happened whole or not.
    """


class FileTransferRefused(FileTransferError, Refused):
    """The server turns this component away, or is not the one that settings name: credentials, rights, its key."""


class FileTransferMisconfigured(FileTransferError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class FileMissing(FileTransferError):
    """There is no file at this `path`."""

    def __init__(self, path: str, *, provider: str | None = None) -> None:
        self.path = path
        super().__init__(f"there is no file {path!r}", provider=provider)


class InvalidFile(FileTransferError, ValueError):
    """A path, data or a size of a piece of a wrong type or outside the limits of the port."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file: its path, its size in bytes, and when it was changed, if the place tells."""

    path: str
    size: int
    modified: datetime | None


class Files(Protocol):
    """Files below one folder, which others may read and write as well.

    Paths are 1 to `MAX_PATH` bytes of UTF-8: parts of at most `MAX_PART` bytes separated by `/`, none of them empty,
    `.` or `..`, no control characters, no backslash, and none like the names that uploads have until they are whole.
    """

    async def put(self, path: str, data: bytes | AsyncIterator[bytes]) -> None:
        """Write a file, in place of the one there was; folders are made where they are missing.

        Data that comes in pieces need not fit into memory; an error of `data` comes through. With the capability
        `whole` the file appears under its path when all of it has arrived, and what fails or is cancelled before
        leaves the file that was there.
        """
        ...

    async def get(self, path: str) -> bytes:
        """The data. Raises `FileMissing`."""
        ...

    def stream(self, path: str, *, chunk_size: int = 65536) -> AsyncIterator[bytes]:
        """The data in pieces of at most `chunk_size` bytes. The first piece raises `FileMissing`.

        A connection that breaks raises `FileTransferUnavailable`: no stream ends early as if it were whole.
        """
        ...

    async def stat(self, path: str) -> RemoteFile:
        """What is known of a file. Raises `FileMissing`, also for a folder."""
        ...

    async def delete(self, path: str) -> bool:
        """Remove a file; whether there was one. Folders stay."""
        ...

    def list(self, folder: str = "") -> AsyncIterator[RemoteFile]:
        """The files of a folder, not those of folders in it, in the order of their names; none if there is no folder.

        Files with names that are no parts of paths are left out. Without the capability `list` it raises
        `FileTransferRefused`.
        """
        ...


_PART = re.compile(r"[^/\\\x00-\x1f\x7f-\x9f]+")
_UNFINISHED = re.compile(r"\.oneiric-[0-9a-f]{16}\.part")


def check_path(path: str) -> None:
    """Raise `InvalidFile` unless `path` can be one. For providers, like all below."""
    if not isinstance(path, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidFile(f"a path is text, not {type(path).__name__}")
    if not 1 <= _size(path) <= MAX_PATH:
        raise InvalidFile(f"a path has 1 to {MAX_PATH} bytes of UTF-8, this one has {_size(path)}")
    for part in path.split("/"):
        if not is_part(part):
            raise InvalidFile(f"{path!r} is not a valid path: the part {part!r} is not allowed")


def check_folder(folder: str) -> None:
    """Raise `InvalidFile` unless `folder` can be the path of a folder, or is empty."""
    if folder != "":
        check_path(folder)


def check_chunk_size(chunk_size: int) -> None:
    if chunk_size < 1:
        raise InvalidFile("chunk_size is at least 1")


def is_part(name: str) -> bool:
    """Whether this can be a part of a path."""
    if name in ("", ".", "..") or not _PART.fullmatch(name) or _UNFINISHED.fullmatch(name):
        return False
    try:
        return len(name.encode()) <= MAX_PART
    except UnicodeEncodeError:
        return False


def unfinished() -> str:
    """A name for a file that is not whole yet, which `is_part` does not take."""
    return f".oneiric-{token_hex(8)}.part"


async def pieces_of(data: bytes | AsyncIterator[bytes]) -> AsyncGenerator[memoryview, None]:
    """The data in pieces of at most `PIECE` bytes. Raises `InvalidFile` for what is no bytes."""
    if isinstance(data, bytes):
        for piece in _cut(data):
            yield piece
        return
    if not hasattr(data, "__anext__"):
        raise InvalidFile(f"data is bytes or an async iterator of them, not {type(data).__name__}")
    async for part in data:
        if not isinstance(part, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidFile(f"data is bytes, not {type(part).__name__}")
        for piece in _cut(part):
            yield piece


def _cut(data: bytes) -> list[memoryview]:
    view = memoryview(data)
    return [view[begin : begin + PIECE] for begin in range(0, len(view), PIECE)]


def _size(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise InvalidFile("text that UTF-8 can encode is expected; this has a lone surrogate") from None
