"""Lines of styled pieces, and their text: plain for pipes and files, coloured for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

Style: TypeAlias = Literal["plain", "bold", "dim", "red", "yellow", "green", "cyan", "blue"]
Line: TypeAlias = list[tuple[str, Style]]

_SGR: dict[Style, str] = {
    "bold": "1",
    "dim": "2",
    "red": "1;31",
    "yellow": "1;33",
    "green": "1;32",
    "cyan": "1;36",
    "blue": "1;34",
}


def paint(lines: Iterable[Line], *, styled: bool) -> str:
    """The text of the lines, each ended, without spaces at line ends."""
    return "".join(_painted(line, styled) + "\n" for line in lines)


def _painted(line: Line, styled: bool) -> str:
    if not styled:
        return "".join(text for text, _ in line).rstrip(" ")
    return "".join(f"\x1b[{_SGR[style]}m{text}\x1b[0m" if style != "plain" else text for text, style in line)
