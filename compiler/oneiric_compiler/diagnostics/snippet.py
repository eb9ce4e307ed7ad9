"""A stretch of source as a compiler shows it: place, gutter, line and carets."""

from __future__ import annotations

from oneiric_compiler.diagnostics.found import Span
from oneiric_compiler.text.paint import Line, Style, columns
from oneiric_compiler.text.redact import mask
from oneiric_compiler.text.visible import visible, visible_character

_TAB = 4
_LONG = 2000
"""Characters of a line; as many as no terminal shows."""
_CUT = "…"


def snippet(
    span: Span,
    gutter: int,
    width: int,
    *,
    style: Style,
    label: str = "",
    arrow: str = "-->",
    secret: bool = False,
) -> list[Line]:
    """The lines that show `span`; only its place where the source has no text.

    `gutter` is the width of the line numbers, `width` that of the source line in columns; `secret` hides the
    span's own text; a `label` stands after the carets.
    """
    place = visible(span.source.path)
    if not span.source.text:
        return [[(" " * gutter + f"{arrow} ", "blue"), (place + (f": {label}" if label else ""), "plain")]]
    text = shown_line(span, secret=secret)
    start = min(max(span.column - 1, 0), len(text))
    end = span.end_column - 1 if span.end_line == span.line else len(text.rstrip())
    if len(text) > _LONG:  # a line of a thousand mistakes is not worked through a thousand times
        skipped = max(0, start - _LONG // 2)
        text = text[skipped : skipped + _LONG]
        start, end = start - skipped, min(end - skipped, len(text))
    cells = _cells(text)
    before, marked, after = _window(cells, start, max(min(end, len(text)), start), width)
    mark = "^" if arrow == "-->" else "-"
    carets = " " * _columns(before) + mark * max(1, _columns(marked))
    bar = " " * gutter + " |"
    return [
        [(" " * gutter + f"{arrow} ", "blue"), (f"{place}:{span.line}:{span.column}", "plain")],
        [(bar, "blue")],
        [(f"{span.line:>{gutter}} | ", "blue"), ("".join(before + marked + after), "plain")],
        [(bar + " ", "blue"), (carets + (f" {label}" if label else ""), style)],
    ]


def shown_line(span: Span, *, secret: bool = False) -> str:
    """The span's first line with nothing secret in it, character for character."""
    source = span.source
    if not source.has(span.line):
        return ""
    line = source.shown.python(span.line) if source.path.endswith(".py") else source.shown.settings(span.line)
    if secret:
        start, end = span.column - 1, span.end_column - 1 if span.end_line == span.line else len(line)
        line = line[:start] + mask(line[start:end]) + line[end:]
    return line


def _cells(text: str) -> list[str]:
    """For each character what is drawn for it: tabs to the next stop, unseen characters spelled out."""
    cells: list[str] = []
    column = 0
    for char in text:
        cells.append(" " * (_TAB - column % _TAB) if char == "\t" else visible_character(char))
        column += _columns(cells[-1:])
    return cells


def _columns(cells: list[str]) -> int:
    return sum(map(columns, cells))


def _window(cells: list[str], start: int, end: int, width: int) -> tuple[list[str], list[str], list[str]]:
    """What is drawn before, in and after the span: all of it, or at most about `width` columns around it."""
    before, marked, after = cells[:start], cells[start:end], cells[end:]
    if _columns(cells) <= width:
        return before, marked, after
    if _columns(marked) > width - 20:
        marked = [*_fitting(marked, width - 21), _CUT]
        after = []
    room = width - _columns(marked)
    left = min(_columns(before), max(room // 2, room - _columns(after)))
    if left < _columns(before):
        before = [_CUT, *reversed(_fitting(list(reversed(before)), left - 1))]
    if _columns(after) > room - _columns(before):
        after = [*_fitting(after, room - _columns(before) - 1), _CUT]
    return before, marked, after


def _fitting(cells: list[str], columns: int) -> list[str]:
    """As many of the first cells as fit into `columns`."""
    taken = 0
    for index, cell in enumerate(cells):
        taken += _columns([cell])
        if taken > columns:
            return cells[:index]
    return cells
