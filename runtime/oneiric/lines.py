"""`tenants.jsonl`: a line for each tenant, then those of what it has of its own, in order; and the name of the
generation that the file is part of."""

from __future__ import annotations

import os

from oneiric.errors import LoadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from mmap import mmap
    from re import Pattern
    from typing import Any

_NAME = "tenants.jsonl"


class Lines:
    """A file of lines in the order of `order_of`, mapped into memory and searched by the bytes a line starts with.
    Without a path, or where there is no such file: none. `copied`: as it is now, whatever is written into the file
    later. `checked`: whether they are known to be those that the wiring names."""

    def __init__(self, path: str | None, *, copied: bool = False) -> None:
        text = b"" if path is None else _mapped(path)
        self._text = text[:] if copied else text
        self._digest: bytes | None = None
        self.checked = False

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
            end = text.find(b"\n", start)
            end = len(text) if end < 0 else end
            if order_of(text[start:end])[: len(prefix)] < prefix:
                low = min(end + 1, len(text))
            else:
                high = start
        if text[low : low + len(prefix)] != prefix:
            return None
        end = text.find(b"\n", low)
        return text[low:] if end < 0 else text[low:end]

    def check(self, listed: str | None, expected: Mapping[str, str]) -> None:
        """See that these are the lines that a wiring names: `NUMBER:DIGEST` of those that list the tenants, and of
        those of each key. Raises `LoadError` where one is lost, cut, doubled, in another place or another one."""
        if self.checked:
            return
        if self._text and listed is None:
            raise LoadError("shape", f"the wiring does not name its {_NAME}: compile again")
        found = _counted(self)
        wanted = {**({"": listed} if listed else {}), **expected}
        for key in sorted(found.keys() | wanted.keys()):
            if found.get(key) != wanted.get(key):
                what = f"the lines of {key}" if key else "the list of tenants"
                says, has = wanted.get(key, "none"), found.get(key, "none")
                raise LoadError("shape", f"{_NAME}: {what} are {has}, and the wiring says {says}: compile again")
        self.checked = True


def order_of(line: bytes) -> bytes:
    """What lines are ordered by: without its closing brace, a tenant's own line comes before those of its keys."""
    return line[:-1]


def _counted(lines: Lines) -> dict[str, str]:
    """`NUMBER:DIGEST` of the lines of each key, its layers' among them; by "" of those that list the tenants. Raises
    `LoadError`."""
    import re
    from hashlib import sha256

    form = re.compile(rb'\{"tenant": "(?:[^"\\]|\\.)*"(?:\}$|, "key": "([^"\\]+)", )')
    counts: dict[bytes, int] = {}
    digests: dict[bytes, Any] = {}
    before = b""
    for number, line in enumerate(lines.each(), 1):
        match = form.match(line)
        if match is None or order_of(line) <= before:
            raise LoadError("shape", f"line {number} of {_NAME} is damaged or not in its place")
        before = order_of(line)
        key = (match[1] or b"").partition(b"/")[0]
        if key not in digests:
            digests[key] = sha256()
            counts[key] = 0
        counts[key] += 1
        digests[key].update(line + b"\n")
    if lines and lines.text[-1:] != b"\n":
        raise LoadError("shape", f"the last line of {_NAME} has no end")
    return {key.decode("ascii", "replace"): f"{counts[key]}:{digests[key].hexdigest()[:8]}" for key in digests}


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
