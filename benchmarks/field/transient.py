"""A new A(B(C())) each time: nanoseconds of thread time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from random import Random
from types import ModuleType
from typing import Any

from benchmarks.field.chain import A, B, C
from benchmarks.field.known import versions
from benchmarks.field.results import Table
from benchmarks.field.rounds import entered, nanoseconds

METHOD = """\
Three classes, each of which needs the next, all new each time; measured as the access is; {rounds} rounds. This project
has no transients: a component of it may be a factory, which its user calls, and which is written by hand."""


def tables(contenders: dict[str, ModuleType], chance: Random, *, short: bool) -> Iterator[Table]:
    rounds, times = (5, 500) if short else (31, 1_000)
    taking = {name: module for name, module in contenders.items() if hasattr(module, "transient")}
    rows = asyncio.run(_rows(taking, chance, rounds, times))
    notes = "stevedore, pluggy and dynaconf make no graphs."
    method = METHOD.format(rounds=rounds)
    yield Table("transient", "A new A(B(C()))", method, [("creation", "ns")], rows, versions(taking), notes)


async def _rows(
    contenders: dict[str, ModuleType], chance: Random, rounds: int, times: int
) -> dict[str, list[list[float]]]:
    async with AsyncExitStack() as stack:
        statements: dict[str, tuple[str, dict[str, Any]]] = {}
        for module in contenders.values():
            statements |= await entered(stack, module.transient())
        for name, (statement, names) in statements.items():
            check(name, statement, names)
        return nanoseconds(statements, rounds, times, chance)


def check(name: str, statement: str, names: dict[str, Any]) -> None:
    """Raises `AssertionError` unless the statement gives three new instances each time."""
    made = [eval(statement, dict(names)) for _ in range(2)]
    for each in made:
        assert (type(each), type(each.b), type(each.b.c)) == (A, B, C), name
    parts = {id(part) for each in made for part in (each, each.b, each.b.c)}
    assert len(parts) == 6, f"{name} gives an instance twice"
