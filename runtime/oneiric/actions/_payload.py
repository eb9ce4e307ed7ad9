"""What payloads hold, looked at before anything is done with it: each check names the field that it is about.

A payload may come from anybody, so nothing here trusts a value to be of the type that the port states.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from binascii import Error
from collections.abc import Collection, Iterable, Mapping
from math import isfinite
from typing import Any, Final, Protocol, TypeVar, cast

from oneiric.actions import ActionMisconfigured, InvalidPayload, Json
from oneiric.errors import ActionError

MAX_DEPTH = 100
"""How deep lists and mappings of a payload nest at most."""
MAX_DIGITS = 4300
"""Digits of a whole number, at most: what Python itself reads and writes as text."""
_TOO_BIG = 10**MAX_DIGITS
_SURROGATE = re.compile("[\ud800-\udfff]")

T = TypeVar("T")
Text = TypeVar("Text", bound=str)


class _NotGiven:
    """In place of a field that is left out, where null is a value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<not given>"


NOT_GIVEN: Final[Any] = _NotGiven()


class Wrong(Protocol):
    """What makes the error of a field, or of a setting, that says why it is not taken."""

    def __call__(self, field: str, reason: str) -> ActionError: ...


class Fields:
    """Checks of the fields of a payload, or of settings: each returns the value, or raises what `wrong` makes."""

    __slots__ = ("wrong",)

    def __init__(self, wrong: Wrong) -> None:
        self.wrong = wrong

    def text(self, field: str, value: object, *, empty: bool = True) -> str:
        """A text that UTF-8 can encode."""
        if not isinstance(value, str):
            raise self.wrong(field, f"is {kind_of(value)}, not a text")
        if not value and not empty:
            raise self.wrong(field, "is empty")
        if _SURROGATE.search(value):
            raise self.wrong(field, "has a lone surrogate")
        return value

    def boolean(self, field: str, value: object) -> bool:
        if not isinstance(value, bool):
            raise self.wrong(field, f"is {kind_of(value)}, not a boolean")
        return value

    def integer(self, field: str, value: object, least: int, most: int) -> int:
        """A whole number within these bounds; `True` is none."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(field, f"is {kind_of(value)}, not a whole number")
        if not least <= value <= most:
            raise self.wrong(field, f"is a whole number from {least} to {most}, and this one is not")
        return value

    def number(self, field: str, value: object, least: float, most: float) -> float:
        """A finite number within these bounds; `True` is none."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(field, f"is {kind_of(value)}, not a number")
        if not least <= value <= most:
            raise self.wrong(field, f"is a number from {least:g} to {most:g}, and this one is not")
        return float(value)

    def one_of(self, field: str, value: object, choices: Collection[Text]) -> Text:
        """One of these texts, in whatever case."""
        for choice in choices:
            if isinstance(value, str) and value.lower() == choice:
                return choice
        raise self.wrong(field, f"is one of {', '.join(choices)}, and this one is not")

    def texts(self, field: str, value: object) -> list[str]:
        """A list of texts; a single text is a list of it."""
        if isinstance(value, str):
            return [self.text(field, value)]
        if not isinstance(value, list | tuple):
            raise self.wrong(field, f"is {kind_of(value)}, not a list of texts")
        return [self.text(field, each) for each in cast("list[object]", value)]

    def mapping(self, field: str, value: object) -> dict[str, Json]:
        """A mapping of texts to values of JSON."""
        if not isinstance(value, Mapping):
            raise self.wrong(field, f"is {kind_of(value)}, not a mapping")
        return cast("dict[str, Json]", self.json(field, value))

    def json(self, field: str, value: Any) -> Json:
        """A copy of a JSON value: what the caller does with theirs later does not change it."""
        return self._json(field, value, 0)

    def _json(self, field: str, value: Any, depth: int) -> Json:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(field, value)
        if isinstance(value, int):
            if not -_TOO_BIG < value < _TOO_BIG:
                raise self.wrong(field, f"holds a number of more than {MAX_DIGITS} digits")
            return value
        if isinstance(value, float):
            if not isfinite(value):
                raise self.wrong(field, f"holds {value}, which JSON has no number for")
            return value
        if depth == MAX_DEPTH:
            raise self.wrong(field, f"nests more than {MAX_DEPTH} deep")
        if isinstance(value, Mapping):
            pairs = cast("Mapping[object, Any]", value).items()
            return {self._name(field, name): self._json(field, each, depth + 1) for name, each in pairs}
        if isinstance(value, list | tuple):
            return [self._json(field, each, depth + 1) for each in cast("list[Any]", value)]
        raise self.wrong(field, f"holds {kind_of(value)}, which is not a value of JSON")

    def _name(self, field: str, name: object) -> str:
        if not isinstance(name, str):
            raise self.wrong(field, f"holds a mapping with {kind_of(name)} for a name")
        return self.text(field, name)

    def base64(self, field: str, value: object) -> bytes:
        """The bytes that a text holds in standard base64."""
        try:
            return b64decode(self.text(field, value), validate=True)
        except (Error, ValueError) as error:
            if isinstance(error, ActionError):
                raise
            raise self.wrong(field, "is not base64") from None

    def one(self, **given: object) -> str:
        """The name of the one field of these that is not `NOT_GIVEN`."""
        names = [name for name, value in given.items() if value is not NOT_GIVEN]
        if len(names) == 1:
            return names[0]
        listed = " or ".join(f"`{name}`" for name in given)
        if names:
            raise self.wrong(names[1], f"is given and `{names[0]}` too: one of {listed} is wanted")
        raise self.wrong(next(iter(given)), f"is missing: {listed} is wanted")


def payload_of(key: str) -> Fields:
    """Checks of the payloads of an action."""
    return Fields(lambda field, reason: InvalidPayload(reason, key=key, field=field))


def settings_of(key: str, provider: str) -> Fields:
    """Checks of the settings of what serves an action."""
    return Fields(
        lambda field, reason: ActionMisconfigured(f"`{field}` {reason}", key=key, provider=provider, setting=field)
    )


def chosen(value: T | None, setting: T) -> T:
    """What a payload says, else what the settings say."""
    return setting if value is None else value


def given(value: T | None) -> T:
    """For `Fields.one`: a value that is left out by being null."""
    return cast("T", NOT_GIVEN) if value is None else value


def one_record(checks: Fields, data: Json, record: Json) -> dict[str, Json]:
    """The record of a payload, which may call it either way."""
    field = checks.one(data=given(data), record=given(record))
    return checks.mapping(field, data if field == "data" else record)


def canonical(value: Json) -> bytes:
    """A value of JSON as bytes that depend on nothing else: a text is its UTF-8, all else is JSON with sorted names, no
    spaces and non-ASCII as `\\uXXXX`."""
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


_KINDS: Iterable[tuple[type | tuple[type, ...], str]] = (
    (bool, "a boolean"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "a text"),
    (Mapping, "a mapping"),
    ((list, tuple), "a list"),
)


def kind_of(value: object) -> str:
    """What a value is, without telling it."""
    if value is None:
        return "null"
    return next((name for kinds, name in _KINDS if isinstance(value, kinds)), f"of the type {type(value).__name__}")
