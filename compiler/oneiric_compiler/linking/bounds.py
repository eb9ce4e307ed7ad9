"""The bounds of annotated-types and pydantic, held against a value that is known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sized
from datetime import timedelta
from decimal import Decimal

_COMPARED = {"ge": "less than", "gt": "not more than", "le": "more than", "lt": "not less than"}


def broken(bounds: Iterable[tuple[str, object]], value: object) -> str | None:
    """How a value breaks the first of the bounds that it does not keep, as what follows "it is"."""
    return next((reason for name, bound in bounds if (reason := _broken(name, bound, value))), None)


def _broken(name: str, bound: object, value: object) -> str | None:
    number, limit = _number(value), _number(bound)
    if name in _COMPARED and number is not None and limit is not None:
        kept = {"ge": number >= limit, "gt": number > limit, "le": number <= limit, "lt": number < limit}[name]
        unit = "s" if isinstance(value, timedelta) else ""
        return None if kept else f"{_COMPARED[name]} {bound}{unit}"
    if name == "multiple_of" and number is not None and limit:
        return None if number % limit == 0 else f"not a multiple of {bound}"
    if name in ("min_length", "max_length") and isinstance(value, Sized) and isinstance(bound, int):
        longest = name == "max_length"
        kept = len(value) <= bound if longest else len(value) >= bound
        return None if kept else f"{'longer' if longest else 'shorter'} than {bound}"
    if name == "pattern" and isinstance(value, str) and isinstance(bound, str) and not _matches(bound, value):
        return f"not what `{bound}` matches"
    return None


def _number(value: object) -> Decimal | None:
    if isinstance(value, timedelta):
        return Decimal(value // timedelta(microseconds=1)) / 1_000_000
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    return Decimal(str(value))


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except (re.error, RecursionError, OverflowError):
        return True
