"""The field's part of docs/performance.md, from benchmarks/results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.field.results import Figure
from benchmarks.table import described

ORDER = ("access", "transient", "start-30", "start-1000", "start-10000", "swap", "tenants", "compile")


def markdown(results: Path) -> str:
    """The machine, and for each table its method, its rows and its plot."""
    tables = {name: json.loads((results / f"{name}.json").read_text("utf-8")) for name in ORDER}
    machines = {described(each["machine"]) for each in tables.values()}
    return "\n".join((f"Measured on {' and '.join(sorted(machines))}.", *_sections(tables)))


def _sections(tables: dict[str, Any]) -> Iterator[str]:
    for name, table in tables.items():
        figures = table["rows"][0]["figures"]
        heads = [f"{each['what']}, {each['unit']}" if each["unit"] else each["what"] for each in figures]
        yield f"\n### {table['title']}\n\n{table['method']}\n"
        yield f"| | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}"
        yield from map(_row, table["rows"])
        yield f"\n{table['notes']}\n" if table["notes"] else ""
        yield f"![{table['title']}](../benchmarks/results/{name}.svg)"


def _row(row: dict[str, Any]) -> str:
    contender, *variant = row["contender"].split(", ", 1)
    name = ", ".join((f"{contender} {row['version']}" if row["version"] else contender, *variant))
    return f"| {name} | {' | '.join(map(_cell, row['figures']))} |"


def _cell(figure: dict[str, Any]) -> str:
    return str(Figure(figure["median"], figure["low"], figure["high"])) if figure["samples"] else "-"
