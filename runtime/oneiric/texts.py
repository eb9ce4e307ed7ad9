"""Converters of texts to values that are more than text. Each raises `ValueError` saying what it expected.

The compiler reads settings by them, the runtime environment variables: one grammar for both.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime, time, timedelta
    from decimal import Decimal
    from re import Pattern
    from typing import TypeVar
    from zoneinfo import ZoneInfo

    T = TypeVar("T")

_DURATION = "a duration such as 30s, 1h30m or PT5M"
_NUMBER = r"(\d+(?:\.\d+)?)"
_UNITS = (("w", 604800), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1), ("ms", None))
_SHORT = "".join(rf"(?:{_NUMBER}{unit})?" for unit, _ in _UNITS)
_ISO = rf"P(?:{_NUMBER}W)?(?:{_NUMBER}D)?(?:T(?=\d)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?()"


def duration(text: str) -> timedelta:
    """NUMBER+UNIT once or more, units descending (w d h m s ms); ISO 8601 without years and months; or seconds."""
    if text.strip().startswith("-"):
        raise ValueError(f"{_DURATION}, not below zero")
    return signed_duration(text)


def signed_duration(text: str) -> timedelta:
    """The same, where a `-` may stand before it."""
    import re
    from datetime import timedelta
    from decimal import Decimal

    written = text.strip()
    positive = written.removeprefix("-")
    if re.fullmatch(rf"{_NUMBER}|\.\d+", positive, re.ASCII):
        seconds = Decimal(positive)
    else:
        found = re.fullmatch(_SHORT, positive, re.ASCII) or re.fullmatch(_ISO, positive, re.ASCII)
        if found is None or not any(found.groups()):
            raise ValueError(_DURATION)
        parts = zip(found.groups(), _UNITS, strict=True)
        seconds = sum((Decimal(each) * (size or Decimal("0.001")) for each, (_, size) in parts if each), Decimal(0))
    try:
        return timedelta(microseconds=int(seconds * 1_000_000)) * (-1 if written != positive else 1)
    except (OverflowError, ArithmeticError):
        raise ValueError("a duration of less than 1,000,000,000 days") from None


def decimal(text: str) -> Decimal:
    """A finite number with the digits it is written with."""
    from decimal import Decimal

    try:
        found = Decimal(text)
    except ArithmeticError:
        found = None
    if found is None or not found.is_finite():
        raise ValueError("a decimal number such as 12.50")
    return found


def moment(text: str) -> datetime:
    """ISO 8601."""
    from datetime import datetime

    return _iso(datetime.fromisoformat, text, "a date and time by ISO 8601, such as 2026-01-31T12:00:00Z")


def day(text: str) -> date:
    """ISO 8601."""
    from datetime import date

    return _iso(date.fromisoformat, text, "a date by ISO 8601, such as 2026-01-31")


def clock(text: str) -> time:
    """ISO 8601."""
    from datetime import time

    return _iso(time.fromisoformat, text, "a time by ISO 8601, such as 12:30")


def octets(text: str) -> bytes:
    """The text in UTF-8, or what follows `base64:` decoded."""
    if not text.startswith("base64:"):
        return text.encode()
    from base64 import b64decode

    try:
        return b64decode(text.removeprefix("base64:"), validate=True)
    except ValueError:
        raise ValueError("text, or `base64:` and base64") from None


def pattern(text: str) -> Pattern[str]:
    """A regular expression."""
    import re

    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError):
        raise ValueError("a regular expression") from None


def zone(text: str) -> ZoneInfo:
    """A time zone by its name in the database of the machine."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError("a time zone such as Europe/Berlin") from None


def _iso(read: Callable[[str], T], text: str, expected: str) -> T:
    try:
        return read(text)
    except ValueError:
        raise ValueError(expected) from None
