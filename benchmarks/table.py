"""What a benchmark finds: rows of samples, shown as a table and as JSON. Nothing is asserted."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Literal

Result = Literal["ratio", "above", "total"]


@dataclass(frozen=True, slots=True)
class Row:
    """Samples of one thing beside those of its floor, taken by turns.

    The result is the `ratio` to the floor, what is `above` it, or the `total` itself; `target` is at most that.
    """

    what: str
    unit: str
    measured: Sequence[float]
    floor: Sequence[float] = ()
    result: Result = "total"
    target: float | None = None

    @property
    def results(self) -> list[float]:
        """The result of each round."""
        if self.result == "ratio":
            return [one / other for one, other in zip(self.measured, self.floor, strict=True)]
        if self.result == "above":
            return [one - other for one, other in zip(self.measured, self.floor, strict=True)]
        return list(self.measured)

    def as_json(self) -> dict[str, object]:
        low, high = spread(self.results)
        return {
            "what": self.what,
            "unit": self.unit,
            "floor": median(self.floor) if self.floor else None,
            "measured": median(self.measured),
            "result": self.result,
            "median": median(self.results),
            "quartiles": [low, high],
            "rounds": len(self.measured),
            "target": self.target,
        }

    def cells(self) -> tuple[str, ...]:
        unit = "x" if self.result == "ratio" else f" {self.unit}"
        low, high = spread(self.results)
        middle = median(self.results)
        sign = "+" if self.result == "above" else ""
        target = "" if self.target is None else f"{self.target:g}{unit}"
        return (
            self.what,
            f"{shortly(median(self.floor))} {self.unit}" if self.floor else "",
            f"{shortly(median(self.measured))} {self.unit}",
            f"{sign}{shortly(middle)}{unit}",
            f"{shortly(low)} to {shortly(high)}",
            target,
            "" if self.target is None else "within" if middle <= self.target else "OVER",
        )


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one benchmark; `floor` says what they are held against."""

    title: str
    floor: str
    rows: Sequence[Row]

    def as_text(self) -> str:
        heads = ("", "floor", "measured", "result", "quartiles", "at most", "")
        lines = [heads, *(row.cells() for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
        text = [self.title, f"floor: {self.floor}", ""]
        for line in lines:
            first, *others = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            text.append("  ".join((line[0].ljust(len(first)), *others)).rstrip())
        return "\n".join(text) + "\n"

    def as_json(self) -> dict[str, object]:
        return {"title": self.title, "floor": self.floor, "rows": [row.as_json() for row in self.rows]}


def spread(samples: Sequence[float]) -> tuple[float, float]:
    """The lower and the upper quartile."""
    if len(samples) < 2:
        return samples[0], samples[0]
    low, _, high = quantiles(samples, n=4, method="inclusive")
    return low, high


def machine() -> dict[str, object]:
    """What the figures depend on: interpreter, system, cores and what they are, memory."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
    }


def described(machine: Mapping[str, object]) -> str:
    """A machine in one line."""
    return ", ".join(f"{name} {value}" for name, value in machine.items())


def _processor() -> str:
    """As Linux names it; elsewhere as Python does."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text("utf-8").splitlines() if cpus.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def shortly(number: float) -> str:
    """Three digits."""
    size = abs(number)
    if size >= 100 or number == int(number):
        return f"{number:,.0f}"
    return f"{number:.1f}" if size >= 10 else f"{number:.2f}"
