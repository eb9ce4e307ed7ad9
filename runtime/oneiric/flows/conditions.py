"""Conditions: when a node runs, which events a subscription wants, which rules of automation match.

Those in a list hold together. What is missing is not null: it equals nothing, is above and below nothing and matches
nothing, and `exists: false` alone holds of it. Numbers are compared with numbers and texts with texts; two texts that
are both instants in ISO 8601 with an offset, or both dates, are compared as what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, cast

from oneiric.flows.model import Condition
from oneiric.flows.paths import MISSING, Path, found, is_list, parsed

COMBINED = ("any", "not")


def holds(conditions: Sequence[Condition], value: Any) -> bool:
    """Whether all of the conditions hold of a value, which their paths lead into."""
    return all(_holds(each, value) for each in conditions)


def faults(condition: Any) -> Iterator[tuple[Path, str]]:
    """What is wrong with a condition, with the place of it in the condition."""
    if not isinstance(condition, Mapping):
        yield (), "a condition is a mapping with a `path`, or with `any` or `not`"
        return
    stated = cast("Mapping[str, Any]", condition)
    combined = [name for name in COMBINED if name in stated]
    if combined:
        for name in stated:
            if name != combined[0]:
                yield (name,), f"`{name}` cannot stand beside `{combined[0]}`"
        yield from _combined_faults(combined[0], stated[combined[0]])
        return
    if not isinstance(stated.get("path"), str):
        yield ("path",) if "path" in stated else (), "a condition has a `path`, which is a text"
    else:
        try:
            parsed(stated["path"])
        except ValueError as error:
            yield ("path",), str(error)
    named = [name for name in stated if name != "path"]
    if not named and "path" in stated:
        yield (), f"a condition asks something of its path: {', '.join(OPERATORS)}"
    for name in named:
        if name not in OPERATORS:
            yield (name,), f"`{name}` is not one of {', '.join(OPERATORS)}"
        elif wrong := _wrong(name, stated[name]):
            yield (name,), wrong


def _combined_faults(name: str, inner: Any) -> Iterator[tuple[Path, str]]:
    if name == "not":
        yield from (((name, *at), text) for at, text in faults(inner))
    elif not is_list(inner) or not inner:
        yield (name,), "`any` has a list of conditions, and at least one"
    else:
        for index, each in enumerate(inner):
            yield from (((name, index, *at), text) for at, text in faults(each))


def _wrong(name: str, wanted: Any) -> str | None:
    """Why an operator cannot ask for that."""
    match name:
        case "any_of":
            return None if is_list(wanted) and wanted else "`any_of` has a list of values, and at least one"
        case "exists":
            return None if isinstance(wanted, bool) else "`exists` is true or false"
        case "above" | "below":
            comparable = isinstance(wanted, int | float | str) and not isinstance(wanted, bool)
            return None if comparable else f"`{name}` has a number or a text"
        case "matches":
            if not isinstance(wanted, str):
                return "`matches` has a regular expression"
            try:
                _pattern(wanted)
            except re.error as error:
                return f"`{wanted}` is not a regular expression: {error}"
        case _:
            pass
    return None


def _holds(condition: Condition, value: Any) -> bool:
    if "any" in condition:
        return any(_holds(each, value) for each in condition["any"])
    if "not" in condition:
        return not _holds(condition["not"], value)
    at = found(value, parsed(condition["path"]))
    return all(OPERATORS[name](at, wanted) for name, wanted in condition.items() if name != "path")


def _equal(value: Any, wanted: Any) -> bool:
    """As JSON: true is not 1, and 1 is 1.0."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if is_list(value) and is_list(wanted):
        return len(value) == len(wanted) and all(map(_equal, value, wanted))
    if isinstance(value, Mapping) and isinstance(wanted, Mapping):
        one, other = cast("Mapping[str, Any]", value), cast("Mapping[str, Any]", wanted)
        return one.keys() == other.keys() and all(_equal(each, other[name]) for name, each in one.items())
    return bool(value == wanted)


def _compared(value: Any, wanted: Any) -> int:
    """-1, 0 or 1; 0 too where the two cannot be compared."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return 0
    if isinstance(value, int | float) and isinstance(wanted, int | float):
        return (value > wanted) - (value < wanted)
    if isinstance(value, str) and isinstance(wanted, str):
        one, other = _meant(value), _meant(wanted)
        if type(one) is not type(other):
            one, other = value, wanted
        return int(one > other) - int(one < other)
    return 0


def _meant(text: str) -> Any:
    """An instant, a date, or the text itself."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if instant.tzinfo is None else instant


@lru_cache(256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": _equal,
    "any_of": lambda value, wanted: any(_equal(value, each) for each in wanted),
    "above": lambda value, wanted: _compared(value, wanted) > 0,
    "below": lambda value, wanted: _compared(value, wanted) < 0,
    "exists": lambda value, wanted: (value is not MISSING) is wanted,
    "matches": lambda value, wanted: isinstance(value, str) and _pattern(wanted).search(value) is not None,
}
"""What a condition may ask of what its path leads to; what is `MISSING` there equals nothing."""
