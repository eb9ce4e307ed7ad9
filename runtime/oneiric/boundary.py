"""Values as JSON where they cross a boundary, and JSON as values: dataclasses, models of pydantic, structs and such."""

from __future__ import annotations

import math
from typing import Any, cast

import msgspec

from oneiric.errors import OneiricError


class PlainError(OneiricError, ValueError):
    """A value that JSON cannot carry, or that is not of the type wanted; `at` is the path in it, `what` says why."""

    def __init__(self, at: str, what: str) -> None:
        self.at = at
        self.what = what
        super().__init__(f"{at or 'the value'} {what}")


def plain(value: object) -> Any:
    """The value as JSON: dicts with texts for names, lists, texts, numbers, booleans, None. Raises `PlainError`."""
    try:
        made = msgspec.to_builtins(value, enc_hook=_dumped, str_keys=True)
    except (TypeError, ValueError, NotImplementedError, OverflowError, RecursionError) as error:
        raise PlainError("", f"is not JSON: {error}") from None
    _check(made, "")
    return made


def _dumped(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)  # of pydantic, which need not be there
    if dump is None:
        raise NotImplementedError(f"objects of type {type(value).__name__} are not supported")
    return dump(mode="json")


def _check(value: Any, at: str) -> None:
    kind = cast("Any", type(value))
    if kind is dict:
        for name, each in value.items():
            _check_text(name, f"{at}.{name!r}")
            _check(each, f"{at}.{name}" if at else name)
    elif kind is list:
        for index, each in enumerate(value):
            _check(each, f"{at}[{index}]")
    elif kind is str:
        _check_text(value, at)
    elif kind is float and not math.isfinite(value):
        raise PlainError(at, f"is {value}, which JSON does not have")


def _check_text(text: str, at: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise PlainError(at.encode(errors="replace").decode(), "has a lone surrogate") from None


def read_as(data: Any, wanted: Any) -> Any:
    """JSON as a value of that type. Raises `PlainError`."""
    try:
        return msgspec.convert(data, wanted, dec_hook=_validated)
    except msgspec.ValidationError as error:
        what, _, at = str(error).partition(" - at `")
        raise PlainError(at.removesuffix("`").removeprefix("$").removeprefix("."), _said(what)) from None


def _validated(wanted: Any, data: Any) -> Any:
    validate = getattr(wanted, "model_validate", None)
    if validate is None:
        if isinstance(wanted, type) and isinstance(data, wanted):
            return data
        raise NotImplementedError(f"{wanted} is not a type that JSON is read as")
    try:
        return validate(data)
    except ValueError as error:
        raise msgspec.ValidationError(_of_pydantic(error)) from error


def _of_pydantic(error: Any) -> str:
    """The first mistake that pydantic tells of, without the value, which may be long or secret."""
    told: Any = getattr(error, "errors", list[Any])()
    if not told:
        return "is not what the model takes"
    place = ".".join(map(str, told[0]["loc"]))
    return f"is not what the model takes: {f'{place}: ' if place else ''}{told[0]['msg']}"


def _said(what: str) -> str:
    return what if what.startswith("is ") else f"is wrong: {what[:1].lower()}{what[1:]}"
