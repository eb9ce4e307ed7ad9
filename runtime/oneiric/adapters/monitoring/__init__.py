"""The port `monitoring`: what an application tells about itself."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from traceback import format_exception
from typing import Literal, Protocol, TypeAlias

from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable
from oneiric.secret import Secret

MAX_NAME = 255
"""Characters of a name, at most; longer names of spans, events and attributes are cut."""
MAX_TEXT = 8192
"""Characters of an attribute's text, at most; longer ones are cut."""
MAX_ATTRIBUTES = 100
"""Attributes of one record, at most; the rest is left out."""

Attributes: TypeAlias = "Mapping[str, str | bool | int | float | bytes | None]"
Level: TypeAlias = Literal["debug", "info", "warning", "error"]
Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

_LEVELS = ("debug", "info", "warning", "error")
_KINDS = ("counter", "gauge", "histogram")
_METRIC = re.compile(r"[A-Za-z][A-Za-z0-9_.\-/]{0,254}", re.ASCII)
_UNIT = re.compile(r"[!-~]{0,63}", re.ASCII)
_SECRET = re.compile(r"pass(word|wd|phrase)|secret|token|credential|authorization|cookie|(api|private)[_.-]?key", re.I)
_MASK = "****"


class MonitoringError(AdapterError):
    """Anything a monitoring component raises."""

    key = "monitoring"


class MonitoringClosed(MonitoringError, Closed):
    """The component was closed, or not started yet."""


class MonitoringUnavailable(MonitoringError, Unavailable):
    """The receiver did not answer, or not in time, when the component was started."""


class MonitoringRefused(MonitoringError, Refused):
    """The receiver turns this component away: its credentials, its certificate or what it may do."""


class MonitoringMisconfigured(MonitoringError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class InvalidRecord(MonitoringError, ValueError):
    """A name, level, kind, unit or value outside the limits of the port."""


class Span(Protocol):
    """Work under way, between the begin and the end of its `with` block."""

    def set(self, attributes: Attributes) -> None:
        """Add attributes that are known only now; the last value of a name counts."""
        ...


class Monitoring(Protocol):
    """Takes records of what happens and sends them to a receiver in the background.

    No method waits for the receiver, except `flush`, and none fails because of it: records wait in a bounded buffer;
    what does not fit, or is not delivered within the component's time limits, is given up and counted. All methods
    but `flush` may be called from any thread. Records made within a span belong to it: that follows the tasks and
    contexts of the program.

    Names have at least one character. Attributes are text, booleans, numbers or `bytes` (told as UTF-8); `None` is
    left out, anything else told as `str(value)`. No attribute makes a record invalid: what is too long is cut to the
    limits of the port. Values that are an `oneiric.Secret`, or whose name says password, token or the like, are masked.
    """

    def span(self, name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
        """`with monitoring.span("checkout") as span`: how long the block took, and whether an exception left it."""
        ...

    def event(self, name: str, attributes: Attributes | None = None, *, level: Level = "info") -> None:
        """Something happened."""
        ...

    def exception(self, error: BaseException, attributes: Attributes | None = None) -> None:
        """Something went wrong: the error's class, text and traceback, without the values of variables."""
        ...

    def metric(
        self,
        name: str,
        value: float,
        attributes: Attributes | None = None,
        *,
        kind: Kind = "counter",
        unit: str = "",
    ) -> None:
        """A measurement: add to a counter (0 or more), set a gauge, or add a value to a histogram.

        A name begins with a letter and has letters, digits, `_.-/` of ASCII; a value is finite; `unit` is a
        UCUM code such as `s`, `ms`, `By` (at most 63 characters). Raises `InvalidRecord`.
        """
        ...

    async def flush(self, *, timeout: float = 5.0) -> bool:
        """Wait at most `timeout` seconds until all that was recorded is sent; whether all of it arrived."""
        ...

    def dropped(self) -> int:
        """How many spans, events and exceptions were given up since the start."""
        ...


def checked_name(name: str) -> str:
    """The name as it is told. Raises `InvalidRecord`. For providers, like all that follows."""
    if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidRecord("a name is text of at least one character")
    return told_text(name, MAX_NAME)


def check_level(level: Level) -> None:
    """Raise `InvalidRecord` unless it is a level."""
    if level not in _LEVELS:
        raise InvalidRecord(f"a level is one of {', '.join(_LEVELS)}")


def check_metric(name: str, value: float, kind: Kind, unit: str) -> None:
    """Raise `InvalidRecord` unless they make a measurement."""
    if not isinstance(name, str) or not _METRIC.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidRecord("the name of a metric begins with a letter and has letters, digits and _.-/ of ASCII only")
    if kind not in _KINDS:
        raise InvalidRecord(f"a kind is one of {', '.join(_KINDS)}")
    if not isinstance(unit, str) or not _UNIT.fullmatch(unit):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidRecord("a unit is at most 63 characters of printable ASCII")
    if isinstance(value, bool) or not isinstance(value, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidRecord(f"a value is a number, not {type(value).__name__}")
    if not -1e300 < value < 1e300:
        raise InvalidRecord("a value is a finite number")
    if kind == "counter" and value < 0:
        raise InvalidRecord("a counter only grows")


def told_attributes(attributes: Attributes | None) -> dict[str, str | bool | int | float]:
    """Attributes as they are told: plain, within the limits, and without secrets."""
    told: dict[str, str | bool | int | float] = {}
    for name, value in (attributes or {}).items():
        if value is None:
            continue
        if len(told) == MAX_ATTRIBUTES:
            break
        name = told_text(str(name), MAX_NAME) or "_"
        told[name] = _MASK if _SECRET.search(name) else _told_value(value)
    return told


def told_text(text: str, most: int = MAX_TEXT) -> str:
    """Text that UTF-8 can encode, cut to so many characters."""
    if len(text) > most:
        text = text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def told_traceback(error: BaseException) -> str:
    """Where an error came from; of a long traceback its end."""
    text = "".join(format_exception(error))
    return told_text(text if len(text) <= 2 * MAX_TEXT else text[-2 * MAX_TEXT :], 2 * MAX_TEXT)


def told_error(error: BaseException) -> str:
    """What an error says; errors whose text fails have none."""
    return told_text(_text_of(error))


def _told_value(value: object) -> str | bool | int | float:
    match value:
        case Secret():
            return _MASK
        case bool():
            return bool(value)
        case str():
            return told_text(value)
        case int() if -(2**63) <= value < 2**63:
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case bytes() | bytearray():
            return told_text(value[: 4 * MAX_TEXT].decode("utf-8", "backslashreplace"))
        case _:
            return told_text(_text_of(value))


def _text_of(value: object) -> str:
    try:
        return str(value)
    except Exception:  # whatever a foreign __str__ does, it is not this call's fault
        return f"<{type(value).__name__}>"
