"""Where the defaults of references end: at the brace that closes them, for all who read references or hide them."""

from __future__ import annotations

import re

_BRACES = re.compile(r"\$\$\{|[{}]")


def closings(text: str) -> dict[int, int]:
    """The place of each brace that opens, to that of the one that closes it; `$${` opens none. One pass."""
    closed: dict[int, int] = {}
    opened: list[int] = []
    for brace in _BRACES.finditer(text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            closed[opened.pop()] = brace.start()
    return closed
