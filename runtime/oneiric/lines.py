"""`tenants.jsonl`: a sorted file of lines, found by bisection; and the name of the generation that it is part of."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap
    from re import Pattern

_NAME = "tenants.jsonl"


class Lines:
    """A sorted file of lines, mapped into memory and searched by the bytes a line starts with. Without a path, or
    where there is no such file: none. `copied`: as it is now, whatever is written into the file later."""

    def __init__(self, path: str | None, *, copied: bool = False) -> None:
        text = b"" if path is None else _mapped(path)
        self._text = text[:] if copied else text
        self._digest: bytes | None = None

    @property
    def digest(self) -> bytes:
        """The SHA-256 of all of it."""
        if self._digest is None:
            from hashlib import sha256

            self._digest = sha256(self._text).digest()
        return self._digest

    @classmethod
    def beside(cls, wiring: str | None, *, copied: bool = False) -> Lines:
        """Those of the `wiring.py` at that path. Raises `OSError` for a file that cannot be read."""
        return cls(None if wiring is None else os.path.join(os.path.dirname(wiring), _NAME), copied=copied)

    @property
    def text(self) -> mmap | bytes:
        """All of it."""
        return self._text

    def matches(self, pattern: Pattern[bytes]) -> Iterator[bytes]:
        """What the first group of a pattern finds in all of it."""
        return (match[1] for match in pattern.finditer(self._text))

    def each(self) -> Iterator[bytes]:
        """The lines in their order, without their ends."""
        text, start = self._text, 0
        while start < len(text):
            end = text.find(b"\n", start)
            end = len(text) if end < 0 else end
            yield text[start:end]
            start = end + 1

    def __len__(self) -> int:
        return len(self._text)

    def find(self, prefix: bytes) -> bytes | None:
        """The first line that starts with `prefix`."""
        text, low, high = self._text, 0, len(self._text)
        while low < high:
            start = text.rfind(b"\n", low, (low + high) // 2) + 1 or low
            if text[start : start + len(prefix)] < prefix:
                end = text.find(b"\n", start)
                low = len(text) if end < 0 else end + 1
            else:
                high = start
        if text[low : low + len(prefix)] != prefix:
            return None
        end = text.find(b"\n", low)
        return text[low:] if end < 0 else text[low:end]


def _mapped(path: str) -> mmap | bytes:
    import mmap

    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    try:
        size = os.fstat(descriptor).st_size
        return mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) if size else b""
    finally:
        os.close(descriptor)


def generation_of(wiring: bytes, tenants: bytes | mmap) -> str:
    """The name of a generation: SHA-256, in hex, of `wiring.py`, a zero byte and `tenants.jsonl`."""
    from hashlib import sha256

    found = sha256(wiring + b"\0")
    found.update(tenants)
    return found.hexdigest()


def generation_at(wiring: str) -> str:
    """That of files as they are now: read, not mapped, since they may be written meanwhile. Raises `OSError`."""
    with open(wiring, "rb") as file:
        source = file.read()
    try:
        with open(os.path.join(os.path.dirname(wiring), _NAME), "rb") as file:
            return generation_of(source, file.read())
    except FileNotFoundError:
        return generation_of(source, b"")
