"""Files that are replaced whole: whoever looks sees the old one or the new one, also after a crash of the process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


def put(path: Path, data: bytes, *, mode: int | None = None, durable: bool = True) -> None:
    """Put a file in its place: the whole of it, or nothing. Raises `OSError`. `mode` and `durable` as of `stage`."""
    part = stage(path, data, mode=mode, durable=durable)
    try:
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def stage(path: Path, data: bytes, *, mode: int | None = None, durable: bool = True) -> str:
    """The name of a new file beside `path` that holds the data, on disk where `durable`. Raises `OSError`.

    Its permissions are `mode`, else what the process gives new files.
    """
    with _about(path):
        descriptor, part = tempfile.mkstemp(prefix=f".{path.name}.{os.getpid()}.", dir=path.parent)
        try:
            fill(descriptor, data, durable=durable)
            os.chmod(part, _usual() if mode is None else mode)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    return part


def fill(place: int | Path, data: bytes, *, durable: bool = True) -> None:
    """Write and close a file, given by its path or as an open descriptor; on disk where `durable`. Raises `OSError`."""
    with _about(place), open(place, "wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def sync(folder: Path) -> None:
    """Have what was renamed in a folder on disk. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left half written; for who alone writes in the folder."""
    for left in folder.glob(".*.json.*.*"):
        if left.suffixes[-2] != f".{os.getpid()}":
            left.unlink(missing_ok=True)


@contextmanager
def _about(place: int | Path) -> Generator[None]:
    """What the system refuses, also while it writes, is about this file."""
    try:
        yield
    except OSError as error:
        error.filename = str(place)
        raise


def _usual() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
