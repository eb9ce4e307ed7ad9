"""Paths into JSON values: `lines[0].price`, `['a key.with dots'].x`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeGuard, cast

Path: TypeAlias = tuple[str | int, ...]

MISSING: Final = object()
"""What is found where there is nothing: not the same as a null that is there."""

_FIRST = r"[^.\[\]'\s${}]+|\['(?:[^'\\]|\\.)*'\]"
_PART = re.compile(r"\.([^.\[\]'\s${}]+)|\[(\d+|-\d+)\]|\['((?:[^'\\]|\\.)*)'\]")
_WHOLE = re.compile(rf"(?:{_FIRST})(?:{_PART.pattern})*")


@lru_cache(4096)
def parsed(text: str) -> Path:
    """The parts of a path. Raises `ValueError`, which says what one is."""
    if not _WHOLE.fullmatch(text):
        raise ValueError("a path is names and list indices, such as `lines[0].price` or `['a.b'].x`")
    return tuple(_part(found) for found in _PART.finditer(text if text.startswith("[") else f".{text}"))


def _part(found: re.Match[str]) -> str | int:
    name, index, quoted = found.groups()
    if index is not None:
        return int(index)
    return name if name is not None else re.sub(r"\\(.)", r"\1", quoted)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether a value of JSON is a list."""
    return isinstance(value, list)


def found(value: Any, path: Path) -> Any:
    """What is at a path in a value; `MISSING` where there is nothing."""
    for part in path:
        if isinstance(part, int):
            if not is_list(value) or not -len(value) <= part < len(value):
                return MISSING
            value = value[part]
        elif isinstance(value, Mapping) and part in value:
            value = cast("Mapping[str, Any]", value)[part]
        else:
            return MISSING
    return value
