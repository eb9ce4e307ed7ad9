"""Lines of styled pieces, and their text: plain for pipes and files, coloured for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Literal, TypeAlias

Style: TypeAlias = Literal["plain", "bold", "dim", "red", "yellow", "green", "cyan", "blue"]
Line: TypeAlias = list[tuple[str, Style]]

_WIDEST = 100
_SGR: dict[Style, str] = {
    "bold": "1",
    "dim": "2",
    "red": "1;31",
    "yellow": "1;33",
    "green": "1;32",
    "cyan": "1;36",
    "blue": "1;34",
}


def columns(text: str) -> int:
    """The columns that a text takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_width, text))


def padded(text: str, width: int) -> str:
    """The text, followed by spaces up to so many columns; one name of thousands of letters widens no other line."""
    return text + " " * (min(width, _WIDEST) - columns(text))


def _width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def paint(lines: Iterable[Line], *, styled: bool) -> str:
    """The text of the lines, each ended, without spaces at line ends."""
    return "".join(_painted(line, styled) + "\n" for line in lines)


def _painted(line: Line, styled: bool) -> str:
    pieces = _trimmed(line)
    if not styled:
        return "".join(text for text, _ in pieces)
    return "".join(f"\x1b[{_SGR[style]}m{text}\x1b[0m" if style != "plain" else text for text, style in pieces)


def _trimmed(line: Line) -> Line:
    """The line without spaces at its end, which a narrow terminal would wrap."""
    pieces = list(line)
    while pieces and not pieces[-1][0].strip(" "):
        pieces.pop()
    if pieces:
        text, style = pieces.pop()
        pieces.append((text.rstrip(" "), style))
    return pieces
