"""Metadata as headers carry it: ASCII, and never empty."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote

_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in "%")


def written(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """The values percent-encoded; `%` is an empty one."""
    return {key: quote(value, safe=_SAFE) or "%" for key, value in (metadata or {}).items()}


def read(headers: Mapping[str, str] | None) -> dict[str, str]:
    """The metadata that was written so."""
    return {key: "" if value == "%" else unquote(value) for key, value in (headers or {}).items()}
