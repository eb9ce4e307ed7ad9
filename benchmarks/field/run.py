"""All tables of the field, one after the other."""

from __future__ import annotations

from pathlib import Path
from random import Random

from benchmarks.field import access, compiles, start, swap, tenants, transient
from benchmarks.field.known import found
from benchmarks.field.plot import plotted
from benchmarks.field.results import write
from benchmarks.table import machine


def run(*, short: bool, folder: Path | None) -> None:
    """Print each table when it is there, and write it into the folder, if there is one."""
    description = machine()
    print(", ".join(f"{name} {value}" for name, value in description.items()), flush=True)
    chance = Random()
    contenders = found(peers=not short)
    # compiles first: a child's peak, as Linux tells it, is at least that of its parent when it was started
    for rows in (compiles, access, transient, start, swap, tenants):
        for table in rows.tables(contenders, chance, short=short):
            print(f"\n{table.as_text()}", flush=True)
            if folder is not None:
                write(table, description, plotted(table), folder)
