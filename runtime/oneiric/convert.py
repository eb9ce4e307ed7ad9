"""Converters for the texts of environment variables. Each raises `ValueError` saying what it expected."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    T = TypeVar("T")
    Text = TypeVar("Text", bound=str)

_BOOLEANS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
_EXPECTED: dict[object, str] = {int: "a whole number", float: "a number"}


def boolean(text: str) -> bool:
    """1, true, yes, on; or 0, false, no, off; in any case."""
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"one of {', '.join(_BOOLEANS)}") from None


def one_of(*choices: Text) -> Callable[[str], Text]:
    """A converter that lets exactly these texts through."""

    def choose(text: str) -> Text:
        for choice in choices:
            if choice == text:
                return choice
        raise ValueError(f"one of {', '.join(choices)}")

    return choose


def convert(converter: Callable[[str], T], text: str) -> T:
    """The text converted by int, float, `boolean`, `one_of(...)`, an Enum class (by name, else by value).

    Any other callable of a text does too. Raises `ValueError`, whose text is what was expected.
    """
    members = _members(converter)
    if text in members:
        return members[text]
    return _converted(converter, text, members)


def _members(converter: Callable[[str], T]) -> Mapping[str, T]:
    from enum import EnumMeta

    return getattr(converter, "__members__", {}) if isinstance(converter, EnumMeta) else {}


def _converted(converter: Callable[[str], T], text: str, members: Mapping[str, T]) -> T:
    try:
        return converter(text)
    except ValueError as error:
        expected = f"one of {', '.join(members)}" if members else _EXPECTED.get(converter)
        raise ValueError(expected or str(error)) from error
