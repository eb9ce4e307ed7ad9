"""JSON documents of ours, in files and requests: read only in the shape that their reader relies on, replaced whole.

A shape is `str`, `bool`, `int`, `float` (finite, whole numbers too), `None`, a text (that text and no other), a tuple
of shapes (any of them), `[shape]` (a list of such), `{...: shape}` (an object with any names), or an object with named
members, `{"name": shape, "perhaps?": shape}`: of these, others may be there too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any, TypeAlias, cast

from oneiric.errors import StateError
from oneiric.files import put, sync

Shape: TypeAlias = "type[Any] | str | tuple[Shape, ...] | list[Shape] | Mapping[Any, Shape] | None"
LARGEST = 64 * 1024 * 1024
"""Bytes of the largest file that is read."""
_WORDS: Mapping[type, str] = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


class Misfit(ValueError):
    """Bytes are not a document of the shape that was asked for; the text says where and why."""


def parse(data: bytes, shape: Shape) -> Any:
    """The document in some bytes. Raises `Misfit`."""
    try:
        document = json.loads(data.decode(), parse_constant=_not_a_number)
    except RecursionError:
        raise Misfit("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise Misfit("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        raise Misfit(f"it is not JSON ({at})" if data.strip() else "it is empty") from None
    except ValueError as error:  # a number of more digits than Python converts
        raise Misfit(str(error) if isinstance(error, Misfit) else "it has a number with too many digits") from None
    check(document, shape)
    return document


def check(value: object, shape: Shape, at: str = "") -> None:
    """Raise `Misfit` where a value does not have a shape; `at` is its place in the document."""
    if isinstance(shape, tuple):
        if not any(_fits(value, each) for each in shape):
            raise Misfit(f"{at or 'it'} is not {_word(shape)}")
    elif isinstance(shape, Mapping):
        _check_object(value, cast("Mapping[object, Shape]", shape), at)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise Misfit(f"{at or 'it'} is not a list")
        for number, each in enumerate(cast("list[object]", value)):
            check(each, shape[0], _below(at, str(number)))
    elif not _is(value, shape):
        raise Misfit(f"{at or 'it'} is not {_word(shape)}")


def _check_object(value: object, shape: Mapping[object, Shape], at: str) -> None:
    if not isinstance(value, dict):
        raise Misfit(f"{at or 'it'} is not an object")
    members = cast("dict[str, object]", value)
    for name in members:
        if not _printable(name):
            raise Misfit(f"{at or 'it'} has a name that is not Unicode text")
    if ... in shape:
        for name, each in members.items():
            check(each, shape[...], _below(at, name))
        return
    for stated, wanted in shape.items():
        name = str(stated).removesuffix("?")
        if name in members:
            check(members[name], wanted, _below(at, name))
        elif name == stated:
            raise Misfit(f"{at or 'it'} has no `{name}`")


def _fits(value: object, shape: Shape) -> bool:
    try:
        check(value, shape)
    except Misfit:
        return False
    return True


def _is(value: object, shape: type | str | None) -> bool:
    if shape is None or isinstance(shape, str):
        return value == shape
    if shape is float:
        return type(value) is int or (type(value) is float and isfinite(value))
    return type(value) is shape and (not isinstance(value, str) or _printable(value))


def _printable(text: str) -> bool:
    """Whether it can be written anywhere: JSON can hold half a surrogate pair."""
    return text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text)


def _word(shape: Shape) -> str:
    if isinstance(shape, tuple):
        return " or ".join(map(_word, shape))
    if isinstance(shape, Mapping):
        return "an object"
    if isinstance(shape, list):
        return "a list"
    return _WORDS[shape] if isinstance(shape, type) else json.dumps(shape)


def _below(at: str, name: str) -> str:
    shown = name if len(name) <= 100 else f"{name[:100]}…"
    return f"{at}/{shown}" if at else shown


def _not_a_number(text: str) -> object:
    raise Misfit(f"{text} is not a number in JSON")


def read(path: Path, shape: Shape, otherwise: str) -> Any:
    """The document in a file; None where there is no file. `otherwise` says what to do about one that cannot be used.

    Raises `StateError` for one that cannot be read or is not of this shape.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise Misfit(f"it is larger than {LARGEST >> 20} MiB")
        return parse(data, shape)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror or error}; {otherwise}") from error
    except Misfit as error:
        raise StateError(f"{path} cannot be used: {error}; {otherwise}") from error


def write(path: Path, document: object, *, durable: bool = False) -> None:
    """Replace a file by a document, mode 0600, at once: readers see the old or the new; where `durable`, so does who
    looks after a crash of the machine. Raises `OSError`."""
    data = (json.dumps(document, indent=1) + "\n").encode()
    try:
        put(path, data, mode=0o600, durable=durable)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    if durable:
        sync(path.parent)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a FIFO has no end to wait for
