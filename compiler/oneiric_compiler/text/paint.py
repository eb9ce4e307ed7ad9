"""Lines of styled pieces, and their text: plain for pipes and files, coloured for a terminal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

Style: TypeAlias = Literal["plain", "bold", "dim", "red", "yellow", "green", "cyan", "blue"]
Line: TypeAlias = list[tuple[str, Style]]

_WIDEST = 100
_WORD = re.compile(r" *[^ ]+ *| +")
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


def paint(lines: Iterable[Line], *, styled: bool, width: int | None = None) -> str:
    """The text of the lines, each ended, without spaces at line ends; broken between words where `width` is given."""
    broken = lines if width is None else (part for line in lines for part in _wrapped(line, width))
    return "".join(_painted(line, styled) + "\n" for line in broken)


def _wrapped(line: Line, width: int) -> Iterator[Line]:
    """The line in as many as it takes, those after the first indented further; a longer word stays whole."""
    if sum(columns(text) for text, _ in line) <= width:
        yield line
        return
    whole = "".join(text for text, _ in line)
    indent = min(len(whole) - len(whole.lstrip(" ")) + 4, width // 2)
    part: Line = []
    taken = 0
    begun = False
    for text, style in line:
        for word in _WORD.findall(text):
            if begun and taken + columns(word.rstrip(" ")) > width:
                yield part
                part = [(" " * indent, "plain")]
                taken = indent
                begun = False
            part.append((word, style))
            taken += columns(word)
            begun = begun or bool(word.strip(" "))
    yield part


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
