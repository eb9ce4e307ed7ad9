"""Ways in which a file of ours can be something else than what was written."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

Damage: TypeAlias = Callable[[Path], None]
OTHERS: tuple[Any, ...] = (None, True, -1, 10**30, 1.5, "", "x", "\ud800", "\0", "..", [], [[]], {}, {"a": {"b": []}})


def _bytes(data: bytes) -> Damage:
    def damage(path: Path) -> None:
        path.write_bytes(data)

    return damage


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _huge(path: Path) -> None:
    os.truncate(path, 200 * 1024 * 1024)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


WHOLE: dict[str, Damage] = {
    "empty": _bytes(b""),
    "blank": _bytes(b" \n"),
    "binary": _bytes(bytes(range(256))),
    "utf-16": _bytes('{"format": "x"}'.encode("utf-16")),
    "null": _bytes(b"null"),
    "list": _bytes(b"[]"),
    "object": _bytes(b"{}"),
    "text": _bytes(b'"oneiric"'),
    "deep": _bytes(b"[" * 100_000),
    "deep, whole": _bytes(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "digits": _bytes(b'{"format": ' + b"9" * 6_000 + b"}"),
    "not a number": _bytes(b'{"format": NaN}'),
    "cut": _cut,
    "huge": _huge,
    "directory": _directory,
    "link to itself": _link_to_itself,
    "fifo": _fifo,
}
"""By what the file is afterwards."""


def documents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every document that differs from a file's in one place: there something else stands, or nothing. Of a list the
    first stands for all."""
    whole = json.loads(path.read_text())
    for place in list(_places(whole)):
        for other in OTHERS:
            yield f"{'/'.join(map(str, place))} = {other!r}", json.dumps(_changed(whole, place, other)).encode()
        if place:
            yield f"{'/'.join(map(str, place))} gone", json.dumps(_changed(whole, place, ...)).encode()


def _places(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for name, each in inner:
        yield from _places(each, (*at, name))


def _changed(whole: Any, place: tuple[str | int, ...], other: Any) -> Any:
    if not place:
        return other
    changed = copy.deepcopy(whole)
    holder = changed
    for name in place[:-1]:
        holder = holder[name]
    if other is ...:
        del holder[place[-1]]
    else:
        holder[place[-1]] = other
    return changed
