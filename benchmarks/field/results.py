"""What the field is found to take: a row for each contender, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isnan
from pathlib import Path
from statistics import median

from benchmarks.table import shortly, spread

FORMAT = "oneiric.benchmark/1"


@dataclass(frozen=True, slots=True)
class Figure:
    """What samples come to."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{shortly(self.median)} ({shortly(self.low)} to {shortly(self.high)})"


@dataclass(frozen=True, slots=True)
class Table:
    """Samples by contender and column; a column has a name and a unit, and `nan` where there is nothing to measure.

    `notes` say who is missing and why. Lower is better in the first column, which the plot shows.
    """

    name: str
    title: str
    method: str
    columns: Sequence[tuple[str, str]]
    rows: Mapping[str, Sequence[Sequence[float]]]
    versions: Mapping[str, str]
    notes: str = ""

    def figures(self) -> dict[str, list[Figure | None]]:
        """The figures of each contender, the best of the first column first."""
        found = {name: [figure(samples) for samples in columns] for name, columns in self.rows.items()}
        return dict(sorted(found.items(), key=lambda row: row[1][0].median if row[1][0] else 0.0))

    def as_text(self) -> str:
        heads = ["", *(f"{what}, {unit}" if unit else what for what, unit in self.columns)]
        lines = [heads, *([name, *(str(each or "-") for each in row)] for name, row in self.figures().items())]
        widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
        text = [self.title, self.method, ""]
        for first, *others in lines:
            cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
            text.append("  ".join((first.ljust(widths[0]), *cells)).rstrip())
        return "\n".join((*text, *self.notes.splitlines())) + "\n"

    def as_json(self, machine: Mapping[str, object]) -> dict[str, object]:
        rows = [
            {
                "contender": name,
                "version": self.versions.get(name.partition(",")[0]),
                "figures": [
                    {"what": what, "unit": unit, **(asdict(each) if each else {}), "samples": _shortened(samples)}
                    for (what, unit), each, samples in zip(self.columns, row, self.rows[name], strict=True)
                ],
            }
            for name, row in self.figures().items()
        ]
        head = {"format": FORMAT, "title": self.title, "method": self.method, "notes": self.notes}
        return {**head, "machine": dict(machine), "rows": rows}


def write(table: Table, machine: Mapping[str, object], plot: str, folder: Path) -> None:
    """`NAME.json` and the plot as `NAME.svg` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{table.name}.json").write_text(json.dumps(table.as_json(machine), indent=1) + "\n", "utf-8")
    (folder / f"{table.name}.svg").write_text(plot, "utf-8")


def figure(samples: Sequence[float]) -> Figure | None:
    """Of the samples that are numbers; None where none is."""
    numbers = _numbers(samples)
    return Figure(median(numbers), *spread(numbers)) if numbers else None


def _numbers(samples: Sequence[float]) -> list[float]:
    return [sample for sample in samples if not isnan(sample)]


def _shortened(samples: Sequence[float]) -> list[float]:
    """The numbers, to six digits."""
    return [float(f"{sample:.6g}") for sample in _numbers(samples)]
