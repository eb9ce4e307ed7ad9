"""Access to a live singleton, one of 1,000: nanoseconds of thread time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from random import Random
from types import ModuleType
from typing import Any

from benchmarks.field.known import versions
from benchmarks.field.parts import ANSWER, ORDER, Parts
from benchmarks.field.project import imported, project
from benchmarks.field.results import Table
from benchmarks.field.rounds import entered, nanoseconds

METHOD = """\
The same desk of an application of {keys} keys, alive already. Thread time of a statement that stands fifty times in a
loop's body, without garbage collection; each statement has code of its own; {rounds} rounds."""


def tables(contenders: dict[str, ModuleType], chance: Random, *, short: bool) -> Iterator[Table]:
    keys, rounds, times = (30, 5, 5_000) if short else (1_000, 41, 20_000)
    parts = Parts(keys)
    taking = {name: module for name, module in contenders.items() if hasattr(module, "access")}
    with project(parts, taking) as folder, imported(folder):
        rows = asyncio.run(_rows(taking, parts, chance, rounds, times))
    method = METHOD.format(keys=f"{keys:,}", rounds=rounds)
    notes = "hydra and dynaconf keep no instances."
    yield Table("access", "Access to a live singleton", method, [("access", "ns")], rows, versions(taking), notes)


async def _rows(
    contenders: dict[str, ModuleType], parts: Parts, chance: Random, rounds: int, times: int
) -> dict[str, list[list[float]]]:
    async with AsyncExitStack() as stack:
        statements: dict[str, tuple[str, dict[str, Any]]] = {}
        for module in contenders.values():
            statements |= await entered(stack, module.access(parts))
        for name, (statement, names) in statements.items():
            await check(name, statement, names)
        return nanoseconds(statements, rounds, times, chance)


async def check(name: str, statement: str, names: dict[str, Any]) -> None:
    """Raises `AssertionError` unless the statement gives one desk always, that answers as it should."""
    first, again = (eval(statement, dict(names)) for _ in range(2))
    assert first is again, f"{name} gives another instance each time"
    assert await first.serve(ORDER) == ANSWER, name
