"""Converters for the texts of environment variables. Each raises `ValueError` saying what it expected."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    T = TypeVar("T")

_BOOLEANS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "UUID": "a UUID",
    "IPv4Address": "an IPv4 address",
    "IPv6Address": "an IPv6 address",
    "IPv4Network": "an IPv4 network",
    "IPv6Network": "an IPv6 network",
    "IPv4Interface": "an IPv4 address with its network",
    "IPv6Interface": "an IPv6 address with its network",
}


class Unshown(ValueError):
    """What was `expected` of a text, and by its `path` where in it; what stands there may be a secret."""

    def __init__(self, expected: str, path: tuple[object, ...] = ()) -> None:
        self.expected, self.path = expected, path
        super().__init__(f"{expected} at `{'.'.join(map(str, path))}`" if path else expected)


def boolean(text: str) -> bool:
    """1, true, yes, on; or 0, false, no, off; in any case."""
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"one of {', '.join(_BOOLEANS)}") from None


def one_of(*choices: T) -> Callable[[str], T]:
    """A converter to exactly these values: texts, whole numbers, true and false, null, by how they are written."""

    def choose(text: str) -> T:
        for choice in choices:
            if word(choice) == text:
                return choice
        raise ValueError(f"one of {', '.join(map(word, choices))}")

    return choose


def word(value: object) -> str:
    """A text, a number, true, false or null, as it is written."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def member(enum: Callable[[int], T]) -> Callable[[str], T]:
    """The converter of an Enum class whose members are numbers, to which a text is none of them."""

    def choose(text: str) -> T:
        found: T = _of_enum(enum, text)
        return found

    return choose


def convert(converter: Callable[[str], T], text: str) -> T:
    """The text converted by int, float, `boolean`, `one_of(...)`, an Enum class (by name, else by value).

    Several members of a flag are joined by `|`. Any other callable of a text does too. Raises `ValueError`, whose text
    is what was expected.
    """
    from enum import EnumMeta

    found: T = _of_enum(converter, text) if isinstance(converter, EnumMeta) else _converted(converter, text)
    return found


def _of_enum(enum: Any, text: str) -> Any:
    from enum import Flag

    if not issubclass(enum, Flag):
        return _member(enum, text)
    found, *others = (_member(enum, each.strip()) for each in text.split("|"))
    for each in others:
        found |= each
    return found


def _member(enum: Any, text: str) -> Any:
    members: Mapping[str, Any] = enum.__members__
    if text in members:
        return members[text]
    for each in members.values():
        if text == str(each.value):
            return each
    try:
        return enum(text)
    except (ValueError, TypeError) as error:
        raise ValueError(f"one of {', '.join(members)}") from error


def _converted(converter: Callable[[str], T], text: str) -> T:
    try:
        return converter(text)
    except Unshown:
        raise
    except ValueError as error:
        raise ValueError(EXPECTED.get(getattr(converter, "__name__", "")) or str(error)) from error
