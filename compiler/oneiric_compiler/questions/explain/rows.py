"""Facts as lines: sections of names in a column, each with a text and what more there is."""

from __future__ import annotations

from collections.abc import Sequence

from oneiric_compiler.text.paint import Line, columns, padded
from oneiric_compiler.text.visible import visible

_NAMED = 3
"""Tenants that are named; more are counted."""


def section(title: str, facts: list[tuple[str, str, str]]) -> list[Line]:
    """A heading and rows of a name, a text and what more there is; nothing without rows."""
    return [[], [(f"  {visible(title)}", "bold")], *rows(facts)] if facts else []


def rows(facts: list[tuple[str, str, str]]) -> list[Line]:
    """Names in a column, each with a text; what stands third goes under the text, or beside it when short."""
    shown = [tuple(map(visible, row)) for row in facts]
    first = max((columns(name) for name, _, _ in shown), default=0)
    second = max((columns(text) for _, text, _ in shown), default=0)
    lines: list[Line] = []
    for name, text, more in shown:
        start = f"    {padded(name, first)}  "
        if more and len(start) + second + 2 + len(more) > 110:
            lines.append([(start, "plain"), (text, "plain")])
            lines.append([(" " * len(start) + more, "dim")])
        else:
            lines.append([(start, "plain"), (padded(text, second), "plain"), (f"  {more}" if more else "", "dim")])
    return lines


def counted(tenants: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(tenants) - _NAMED} more" if len(tenants) > _NAMED else ""
    return ", ".join(tenants[:_NAMED]) + more
