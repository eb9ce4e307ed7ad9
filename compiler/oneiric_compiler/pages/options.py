"""The table of a candidate's options in docs/components.md."""

from __future__ import annotations

from collections.abc import Iterator

from oneiric_compiler.pages.marked import table
from oneiric_compiler.pages.ports import type_of
from oneiric_compiler.tables.options import OPTIONS


def options(_: str) -> str:
    """`<!-- options -->`: what each takes, and what it does."""
    return table(_rows())


def _rows() -> Iterator[tuple[str, ...]]:
    yield "option", "value", "meaning"
    for option in OPTIONS:
        bounds = f", {option.schema['minimum']} to {option.schema['maximum']}" if "minimum" in option.schema else ""
        value = (type_of(option.schema) + bounds).replace("-", "\N{MINUS SIGN}")
        yield f"`{option.name}`", value, option.schema["description"].removesuffix(".").replace("->", "→")
