"""Paths into values whose types are known: how Python reads them, and what is there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from oneiric_compiler.source.types import AnyOf, Bounded, Fixed, Many, Named, Record, Scalar, Type, Unchecked

ANY = Scalar("Any")


class Read(NamedTuple):
    """What is at a path: its type, and how Python gets there from the root, None where that is not known; or the
    `part` of the path that is not there, of which type, and what is instead."""

    type: Type
    code: str | None
    missing: str | None = None
    within: str = ""
    known: tuple[str, ...] = ()


def read(type: Type, path: Sequence[str | int]) -> Read:
    """What is at a path in a value of a type."""
    code: str | None = ""
    for at, part in enumerate(path):
        type, may_lack = plain(type)
        if may_lack:
            code = None
        if isinstance(type, Record) and isinstance(part, str):
            field = next((each for each in type.fields if each.name == part), None)
            if field is None:
                return Read(ANY, None, part, str(type), tuple(each.name for each in type.fields))
            if code is not None:
                code += f".{part}" if type.made else f"[{json.dumps(part)}]"
            if not type.made and not field.required:
                code = None
            type = field.type
        elif isinstance(type, Many) and (type.kind == "dict") is isinstance(part, str):
            code = None if code is None else f"{code}[{json.dumps(part)}]"
            type = type.item
        elif isinstance(type, Fixed) and isinstance(part, int) and -len(type.items) <= part < len(type.items):
            code = None if code is None else f"{code}[{json.dumps(part)}]"
            type = type.items[part]
        elif type == ANY or isinstance(type, (Unchecked, AnyOf)):
            items = "".join(f"[{json.dumps(each)}]" for each in path[at:])
            return Read(ANY, f"{code}{items}" if type == ANY and code is not None else None)
        else:
            return Read(ANY, None, str(part), str(type))
    return Read(type, code)


def fits(given: Type, wanted: Type) -> bool:
    """Whether a value of one type may be one of another, as JSON; unknown types may."""
    given, wanted = _bare(given), _bare(wanted)
    if isinstance(given, AnyOf):
        return all(fits(each, wanted) for each in given.members)
    if isinstance(wanted, AnyOf):
        return any(fits(given, each) for each in wanted.members)
    if isinstance(given, Many) and isinstance(wanted, Many):
        return (given.kind == "dict") == (wanted.kind == "dict") and fits(given.item, wanted.item)
    kinds = _kind(given), _kind(wanted)
    return None in kinds or kinds[0] == kinds[1] or kinds == ("int", "float")


def literal_fits(value: object, wanted: Type) -> bool:
    """Whether a value as it is written may be one of a type."""
    wanted = _bare(wanted)
    if isinstance(wanted, AnyOf):
        return any(literal_fits(value, each) for each in wanted.members)
    kinds = (("bool", bool), ("int", int), ("float", float), ("str", str), ("list", list), ("dict", dict))
    kind = next((name for name, each in kinds if isinstance(value, each)), "None")
    expected = _kind(wanted)
    return expected is None or expected == kind or (kind, expected) == ("int", "float")


def plain(type: Type) -> tuple[Type, bool]:
    """A type without its bounds and other name, and without None; whether it may be None."""
    type = _bare(type)
    if isinstance(type, AnyOf):
        others = [each for each in type.members if each != Scalar("None")]
        if len(others) == 1:
            return _bare(others[0]), len(others) < len(type.members)
    return type, False


def _bare(type: Type) -> Type:
    while isinstance(type, (Bounded, Named)):
        type = type.inner
    return type


def _kind(type: Type) -> str | None:
    """What a value of the type is as JSON; None where that is not told by the type."""
    match type:
        case Scalar(name) if name in ("str", "int", "float", "bool", "None"):
            return name
        case Many(kind):
            return "dict" if kind == "dict" else "list"
        case Fixed():
            return "list"
        case Record():
            return "dict"
        case _:
            return None
