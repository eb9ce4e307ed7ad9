"""Texts and bytes that hold values of JSON, in each of the formats: made of them, and read as strictly as JSON is."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import date, time
from math import isfinite
from typing import NoReturn, cast

from oneiric.actions import Json
from oneiric.actions._libraries import extra_of
from oneiric.actions._payload import MAX_DEPTH, MAX_DIGITS, Fields

KEY = "serialization.encode"
EXTRA = "action-serialization"
_AT = re.compile(r"line \d+, column \d+")


def json_text(value: Json, *, sort_keys: bool, ensure_ascii: bool) -> str:
    return json.dumps(value, sort_keys=sort_keys, ensure_ascii=ensure_ascii, allow_nan=False)


def yaml_text(value: Json, *, sort_keys: bool, ensure_ascii: bool) -> str:
    with extra_of(KEY, EXTRA):
        from oneiric.actions._yaml import dumped
    return dumped(value, sort_keys=sort_keys, allow_unicode=not ensure_ascii)


def msgpack_bytes(value: Json, checks: Fields, field: str, *, sort_keys: bool) -> bytes:
    import msgspec

    try:
        return msgspec.msgpack.encode(value, order="deterministic" if sort_keys else None)
    except OverflowError:
        raise checks.wrong(field, "holds a whole number of more than 64 bits, which msgpack has not") from None


def from_json(text: str, checks: Fields, field: str) -> Json:
    try:
        return json.loads(text, parse_constant=_not_finite, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise checks.wrong(field, f"is not JSON (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise _too_deep(checks, field) from None
    except _NotFinite as error:
        raise checks.wrong(field, str(error)) from None
    except ValueError:
        raise checks.wrong(field, f"holds a number of more than {MAX_DIGITS} digits") from None


def from_yaml(text: str, checks: Fields, field: str) -> Json:
    with extra_of(KEY, EXTRA):
        from oneiric.actions._yaml import NotRead, loaded
    try:
        return loaded(text, MAX_DEPTH)
    except NotRead as error:
        raise checks.wrong(field, str(error)) from None


def from_toml(text: str, checks: Fields, field: str) -> Json:
    try:
        return _without_dates(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        at = _AT.search(str(error))
        raise checks.wrong(field, f"is not TOML ({at[0] if at else 'at its end'})") from None
    except RecursionError:
        raise _too_deep(checks, field) from None
    except ValueError:
        raise checks.wrong(field, "holds a number or a date that is not taken") from None


def from_msgpack(data: bytes, checks: Fields, field: str) -> Json:
    import msgspec

    try:
        return msgspec.msgpack.decode(data)
    except RecursionError:
        raise _too_deep(checks, field) from None
    except (msgspec.DecodeError, ValueError):
        raise checks.wrong(field, "is not msgpack") from None


def _without_dates(value: object) -> Json:
    """TOML has dates and times; JSON has their texts, by ISO 8601."""
    if isinstance(value, dict):
        return {name: _without_dates(each) for name, each in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_without_dates(each) for each in cast("list[object]", value)]
    return value.isoformat() if isinstance(value, date | time) else value


class _NotFinite(ValueError):
    """What JSON has no number for, though many a writer has; why."""


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise _NotFinite("holds a number that is larger than one can be")
    return number


def _not_finite(text: str) -> NoReturn:
    raise _NotFinite(f"holds {text}, which JSON has no number for")


def _too_deep(checks: Fields, field: str) -> Exception:
    return checks.wrong(field, f"nests more than {MAX_DEPTH} deep")
