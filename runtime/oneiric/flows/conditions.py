"""Conditions: when a node runs, which events a subscription wants, which rules of automation match.

Those in a list hold together. What is missing is not null: it equals nothing, is above and below nothing and matches
nothing, and `exists: false` alone holds of it. Numbers are compared with numbers and texts with texts; two texts that
are both instants in ISO 8601 with an offset, or both dates, are compared as what they mean.

Those of events have `envelope` in the place of `path` where they ask of what carries the event.
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
_ATTRIBUTE = re.compile(r"[a-z0-9]+")


def holds(conditions: Sequence[Condition], value: Any, envelope: Mapping[str, Any] | None = None) -> bool:
    """Whether all of the conditions hold of a value, which their paths lead into, and of the attributes of the
    `envelope` that it came in."""
    return all(_holds(each, value, envelope or {}) for each in conditions)


def faults(condition: Any, *, of_event: bool = False) -> Iterator[tuple[Path, str]]:
    """What is wrong with a condition, with the place of it in the condition; events have an envelope as well."""
    if not isinstance(condition, Mapping):
        yield (), "a condition is a mapping with a `path`, or with `any` or `not`"
        return
    stated = cast("Mapping[str, Any]", condition)
    combined = [name for name in COMBINED if name in stated]
    if combined:
        for name in stated:
            if name != combined[0]:
                yield (name,), f"`{name}` cannot stand beside `{combined[0]}`"
        yield from _combined_faults(combined[0], stated[combined[0]], of_event)
        return
    subject = "envelope" if of_event and "envelope" in stated else "path"
    yield from _envelope_faults(stated) if subject == "envelope" else _path_faults(stated)
    named = [name for name in stated if name != subject]
    if not named and subject in stated:
        yield (), f"a condition asks something of its {subject}: {', '.join(OPERATORS)}"
    for name in named:
        if name == "path":
            yield (name,), "`path` cannot stand beside `envelope`"
        elif name not in OPERATORS:
            yield (name,), f"`{name}` is not one of {', '.join(OPERATORS)}"
        elif wrong := _wrong(name, stated[name]):
            yield (name,), wrong


def _envelope_faults(stated: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    name = stated["envelope"]
    if not isinstance(name, str) or not _ATTRIBUTE.fullmatch(name) or name in ("data", "specversion"):
        yield ("envelope",), "`envelope` names an attribute: `id`, `source`, `subject`, an extension such as `traceid`"


def _path_faults(stated: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    if not isinstance(stated.get("path"), str):
        yield ("path",) if "path" in stated else (), "a condition has a `path`, which is a text"
    else:
        try:
            parsed(stated["path"])
        except ValueError as error:
            yield ("path",), str(error)


def _combined_faults(name: str, inner: Any, of_event: bool) -> Iterator[tuple[Path, str]]:
    if name == "not":
        yield from (((name, *at), text) for at, text in faults(inner, of_event=of_event))
    elif not is_list(inner) or not inner:
        yield (name,), "`any` has a list of conditions, and at least one"
    else:
        for index, each in enumerate(inner):
            yield from (((name, index, *at), text) for at, text in faults(each, of_event=of_event))


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


def _holds(condition: Condition, value: Any, envelope: Mapping[str, Any]) -> bool:
    if "any" in condition:
        return any(_holds(each, value, envelope) for each in condition["any"])
    if "not" in condition:
        return not _holds(condition["not"], value, envelope)
    subject = "envelope" if "envelope" in condition else "path"
    path = (condition["envelope"],) if subject == "envelope" else parsed(condition["path"])
    of = found(envelope if subject == "envelope" else value, path)
    return all(OPERATORS[name](of, wanted) for name, wanted in condition.items() if name != subject)


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
