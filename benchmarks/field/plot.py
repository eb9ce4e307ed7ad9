"""A table's first column as an SVG: a bar for each contender on a logarithmic scale, its quartiles as a line."""

from __future__ import annotations

import math
from html import escape

from benchmarks.field.results import Figure, Table, shortly

WIDTH, LINE, LEFT, RIGHT = 860, 22, 300, 110  # pixels
OURS, THEIRS = "#b5452c", "#5b7f95"


def plotted(table: Table) -> str:
    what, unit = table.columns[0]
    figures = {name: row[0] for name, row in table.figures().items() if row[0] is not None}
    first, decades = _range([*figures.values()])
    title = escape(f"{table.title}: {what}, {unit}, logarithmic")
    lines = [f'<text x="10" y="20" font-weight="bold">{title}</text>']

    def place(number: float) -> float:
        share = (math.log10(number) - first) / decades if number > 0 else 0
        return LEFT + (WIDTH - LEFT - RIGHT) * share

    for number, (name, figure) in enumerate(figures.items()):
        y = 40 + number * LINE
        low, middle, high = place(figure.low), place(figure.median), place(figure.high)
        colour = OURS if name.startswith("oneiric") else THEIRS
        lines += [
            f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{middle - LEFT:.1f}" height="{LINE - 6}" fill="{colour}"/>',
            f'<path d="M{low:.1f} {y + 8}H{high:.1f}" stroke="black"/>',
            f'<text x="{max(middle, high) + 6:.1f}" y="{y + 12}">{shortly(figure.median)}</text>',
        ]
    height = 50 + len(figures) * LINE
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif"'
    return "\n".join((f'{head} font-size="13">', '<rect width="100%" height="100%" fill="white"/>', *lines, "</svg>\n"))


def _range(figures: list[Figure]) -> tuple[int, float]:
    """The power of ten that bars start at, below all that is not zero, and how many decades there are."""
    numbers = [number for figure in figures for number in (figure.low, figure.high, figure.median) if number > 0]
    if not numbers:
        return 0, 1.0
    first = math.ceil(math.log10(min(numbers))) - 1
    return first, math.log10(max(numbers)) - first
