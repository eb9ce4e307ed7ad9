"""The types whose values are written as text: what each is called, how its text is read, what the wiring says of it.

A text is read by the converter that environment variables are read by at activation.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from oneiric import texts
from oneiric.convert import EXPECTED

Expr: TypeAlias = dict[str, Any]

_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Form:
    """A type called `names` in sources; `read` raises `ValueError` with what was expected.

    `converter`, `module:name`, reads a variable at activation. `numbers` are taken besides texts.
    """

    names: tuple[str, ...]
    read: Callable[[str], Any]
    expression: Callable[[Any], Expr]
    converter: str
    numbers: bool = False


def make(reference: str, *arguments: Any, **named: Any) -> Expr:
    """The expression that calls `module:name` with values."""
    parts = {
        "args": [{"value": each} for each in arguments],
        "named": {name: {"value": each} for name, each in named.items()},
    }
    return {"make": reference, **{name: part for name, part in parts.items() if part}}


def _duration(value: timedelta) -> Expr:
    sign = -1 if value < timedelta(0) else 1
    left, parts = abs(value), {}
    for name in ("days", "hours", "minutes", "seconds", "milliseconds", "microseconds"):
        count, left = divmod(left, timedelta(**{name: 1}))
        if count:
            parts[name] = sign * count
    return make("datetime:timedelta", **parts)


def _zone(text: str) -> str:
    """The name, if it is written as one: which there are is known where the wiring runs."""
    if not _ZONE.fullmatch(text):
        raise ValueError("a time zone such as Europe/Berlin")
    return text


def _expecting(read: Callable[[str], Any], expected: str) -> Callable[[str], Any]:
    def check(text: str) -> Any:
        try:
            return read(text)
        except ValueError:
            raise ValueError(expected) from None

    return check


def _made(module: str, cls: type[Any]) -> Form:
    reference = f"{module}:{cls.__name__}"
    read = _expecting(cls, EXPECTED[cls.__name__])
    return Form((f"{module}.{cls.__name__}",), read, lambda value: make(reference, str(value)), reference)


def _of_iso(cls: str, read: Callable[[str], Any], converter: str) -> Form:
    reference = f"datetime:{cls}.fromisoformat"
    return Form((f"datetime.{cls}",), read, lambda value: make(reference, value.isoformat()), converter)


FORMS: Mapping[str, Form] = {
    "timedelta": Form(("datetime.timedelta",), texts.duration, _duration, "oneiric.texts:duration", True),
    "signed timedelta": Form((), texts.signed_duration, _duration, "oneiric.texts:signed_duration", True),
    "datetime": _of_iso("datetime", texts.moment, "oneiric.texts:moment"),
    "date": _of_iso("date", texts.day, "oneiric.texts:day"),
    "time": _of_iso("time", texts.clock, "oneiric.texts:clock"),
    "Decimal": Form(
        ("decimal.Decimal",),
        texts.decimal,
        lambda value: make("decimal:Decimal", str(value)),
        "oneiric.texts:decimal",
        True,
    ),
    "bytes": Form(
        ("builtins.bytes",),
        texts.octets,
        lambda value: {"bytes": base64.b64encode(value).decode()},
        "oneiric.texts:octets",
    ),
    "Pattern": Form(
        ("re.Pattern", "typing.Pattern"),
        texts.pattern,
        lambda value: make("re:compile", value.pattern),
        "oneiric.texts:pattern",
    ),
    "ZoneInfo": Form(
        ("zoneinfo.ZoneInfo",), _zone, lambda value: make("zoneinfo:ZoneInfo", value), "oneiric.texts:zone"
    ),
    "UUID": _made("uuid", uuid.UUID),
    "IPv4Address": _made("ipaddress", ipaddress.IPv4Address),
    "IPv6Address": _made("ipaddress", ipaddress.IPv6Address),
    "IPv4Network": _made("ipaddress", ipaddress.IPv4Network),
    "IPv6Network": _made("ipaddress", ipaddress.IPv6Network),
    "IPv4Interface": _made("ipaddress", ipaddress.IPv4Interface),
    "IPv6Interface": _made("ipaddress", ipaddress.IPv6Interface),
}
