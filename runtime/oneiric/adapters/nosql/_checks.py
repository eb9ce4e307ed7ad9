"""What a document may be; for providers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard, cast

from oneiric.adapters._common.texts import is_plain, is_text
from oneiric.adapters.nosql import (
    MAX_DEPTH,
    MAX_DOCUMENT,
    MAX_FIELD,
    MAX_FLOAT,
    MAX_ID,
    InvalidDocument,
    Json,
)

_COLLECTION = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


def check_collection(collection: str) -> None:
    """Raise `InvalidDocument` unless it is the name of a collection."""
    if not isinstance(collection, str) or not _COLLECTION.fullmatch(collection):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidDocument("a collection is 1 to 64 ASCII letters, digits, `_` and `-`, a letter first")


def check_name(collection: str, id: str) -> None:
    """Raise `InvalidDocument` unless they name a document."""
    check_collection(collection)
    if not is_plain(id) or not 1 <= len(id.encode()) <= MAX_ID:
        raise InvalidDocument(f"an id is text of 1 to {MAX_ID} bytes of UTF-8 without NUL")


def check_version(if_version: str | None, if_absent: bool = False) -> None:
    """Raise `InvalidDocument` unless it is a condition."""
    if if_version is not None and not is_plain(if_version):
        raise InvalidDocument("if_version is the version of a document")
    if if_absent and if_version is not None:
        raise InvalidDocument("if_absent and if_version exclude each other")


def checked_data(data: Mapping[str, Json]) -> tuple[dict[str, Json], str]:
    """A copy of the data, and the same as JSON. Raises `InvalidDocument`."""
    if not isinstance(data, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidDocument(f"a document is a mapping, not {type(data).__name__}")
    copied = cast("dict[str, Json]", _copied(data, 1))
    text = json.dumps(copied, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > MAX_DOCUMENT:
        raise InvalidDocument(f"a document has at most {MAX_DOCUMENT} bytes as JSON")
    return copied, text


def is_field(name: object) -> TypeGuard[str]:
    """Whether it is the name of a field."""
    return is_plain(name) and not name.startswith("$") and 1 <= len(name.encode()) <= MAX_FIELD


def is_scalar(value: object) -> bool:
    """Whether it is a value that holds no others."""
    if isinstance(value, int):  # booleans are
        return -(2**63) <= value < 2**63
    if isinstance(value, float):
        return not value or 1 / MAX_FLOAT <= abs(value) <= MAX_FLOAT  # which NaN is not
    return value is None or is_text(value)


def _checked_field(name: object) -> str:
    if not is_field(name):
        raise InvalidDocument(
            f"{name!r:.60} is not a valid field: it is text of 1 to {MAX_FIELD} bytes without NUL, and does not begin "
            "with `$`"
        )
    return name


def _copied(value: Any, depth: int) -> Json:
    if is_scalar(value):
        scalar: Json = value
        return scalar
    if depth > MAX_DEPTH:
        raise InvalidDocument(f"a document nests more than {MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value)
        return {_checked_field(name): _copied(each, depth + 1) for name, each in pairs.items()}
    if isinstance(value, list | tuple):
        return [_copied(each, depth + 1) for each in cast("Sequence[Any]", value)]
    raise InvalidDocument(
        f"a {type(value).__name__} is not JSON that every server keeps: null, booleans, integers of 64 bits, finite "
        f"numbers up to {MAX_FLOAT:g}, texts, lists and mappings are"
    )
