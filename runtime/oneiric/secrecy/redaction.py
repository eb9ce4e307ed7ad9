"""Values of JSON as they may be told: without what is secret, at any depth."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, cast

from oneiric.secrecy.names import authorization_name, secret_name
from oneiric.secrecy.shapes import secrets_in

MASK = "***"
_BETWEEN = re.compile(r"[\W_]+")


def redacted(value: Any, fields: Iterable[str] = ()) -> Any:
    """The value with `***` for what a name suggests to be secret, or a text gives away by its shape.

    `fields` are further names, in whatever case and however their words are joined: `apiKey` is `api_key`.
    """
    return _redacted(value, frozenset(map(_plain, fields)))


def _redacted(value: Any, fields: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value).items()
        return {name: MASK if _hides(name, fields) else _redacted(each, fields) for name, each in pairs}
    if isinstance(value, list | tuple):
        return list(map(partial(_redacted, fields=fields), cast("list[Any]", value)))
    return _without_secrets(value) if isinstance(value, str) else value


def _hides(name: str, fields: frozenset[str]) -> bool:
    return secret_name(name) or authorization_name(name) or _plain(name) in fields


def _plain(name: str) -> str:
    return _BETWEEN.sub("", name).casefold()


def _without_secrets(text: str) -> str:
    told: list[str] = []
    position = 0
    for start, end in sorted(each[:2] for each in secrets_in(text)):
        if max(start, position) < end:
            told += [text[position : max(start, position)], MASK]
            position = end
    return "".join([*told, text[position:]])
