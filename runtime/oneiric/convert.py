"""Converters for the texts of environment variables. Each raises `ValueError` saying what it expected."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

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


def one_of(*choices: str) -> Callable[[str], str]:
    """A converter that lets exactly these texts through."""

    def choose(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text

    return choose


def convert(converter: Callable[[str], T], text: str) -> T:
    """The text converted by int, float, `boolean`, `one_of(...)`, an Enum class (by name, else by value).

    Any other callable of a text does too. Raises `ValueError`, whose text is what was expected.
    """
    from enum import EnumMeta

    if isinstance(converter, EnumMeta):
        return _member(converter, text)
    try:
        return converter(text)
    except ValueError as error:
        raise ValueError(_EXPECTED.get(converter) or str(error)) from error


def _member(enum: Callable[[str], T], text: str) -> T:
    members: dict[str, T] = getattr(enum, "__members__")  # noqa: B009
    if text in members:
        return members[text]
    try:
        return enum(text)
    except ValueError:
        raise ValueError(f"one of {', '.join(members)}") from None
