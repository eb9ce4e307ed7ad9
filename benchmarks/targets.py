"""This project's own tables in docs/performance.md, from what `python -m benchmarks --results` kept for each Python."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.table import described, shortly

NAMES = (
    "access",
    "live",
    "layers",
    "start",
    "preflight",
    "tenants",
    "compiling",
    "review",
    "manifests",
    "remote",
    "syncing",
    "swap",
    "events",
    "followers",
    "backends",
    "models",
)
"""The benchmarks, each a module of its own."""


def markdown(results: Path) -> str:
    """The machine, and each table with a column for each Python that has it: `targets/VERSION/NAME.json`."""
    versions = sorted((results / "targets").iterdir(), key=lambda folder: [*map(int, folder.name.split("."))])
    kept = {each.name: [json.loads(path.read_text("utf-8")) for path in _files(each)] for each in versions}
    machines = [each["machine"] for found in kept.values() for each in found]
    pythons = ", ".join(dict.fromkeys(str(each["python"]) for each in machines))
    others = dict.fromkeys(described({**each, "python": pythons}) for each in machines)
    tables: dict[str, dict[str, Any]] = {}
    for version, found in kept.items():
        for table in (table for each in found for table in each["tables"]):
            tables.setdefault(table["title"], {})[version] = table
    return "\n".join((f"Measured on {'; '.join(others)}.", *map(_section, tables.values())))


def _files(folder: Path) -> Iterator[Path]:
    return (path for name in NAMES if (path := folder / f"{name}.json").is_file())


def _section(versions: Mapping[str, Any]) -> str:
    first = next(iter(versions.values()))
    rows: dict[str, dict[str, Any]] = {}
    for version, table in versions.items():
        for row in table["rows"]:
            rows.setdefault(row["what"], {})[version] = row
    lines = [
        f"\n### {first['title']}\n",
        *([f"Floor: {first['floor']}.\n"] if first["floor"] else []),
        f"| | at most | {' | '.join(versions)} |",
        f"|---|---|{'---|' * len(versions)}",
        *(_row(what, found, versions) for what, found in rows.items()),
    ]
    return "\n".join(lines)


def _row(what: str, found: Mapping[str, Any], versions: Mapping[str, Any]) -> str:
    cells = (_cell(found[version]) if version in found else "" for version in versions)
    return f"| {what} | {_at_most(found)} | {' | '.join(cells)} |"


def _at_most(found: Mapping[str, Any]) -> str:
    """The target; where it is not the same for every Python, each of them once."""
    targets: dict[float, str] = {}
    for version, row in found.items():
        if row["target"] is not None:
            targets.setdefault(row["target"], f"{row['target']:g}{_unit(row)} ({version})")
    return ", ".join(targets.values()) if len(targets) > 1 else "".join(targets.values()).partition(" (")[0]


def _cell(row: Mapping[str, Any]) -> str:
    """The result and its quartiles; in bold over its target."""
    sign = "+" if row["result"] == "above" else ""
    low, high = map(shortly, row["quartiles"])
    result = f"{sign}{shortly(row['median'])}{_unit(row)}"
    over = row["target"] is not None and row["median"] > row["target"]
    return (f"**{result}**" if over else result) + (f" ({low} to {high})" if low != high else "")


def _unit(row: Mapping[str, Any]) -> str:
    return "\N{MULTIPLICATION SIGN}" if row["result"] == "ratio" else f" {row['unit']}".rstrip()
