"""One more tenant that has one part of its own: time to what depends on it, and memory."""

from __future__ import annotations

import asyncio
import gc
import inspect
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from random import Random
from statistics import median
from time import perf_counter
from types import ModuleType
from typing import Any

from benchmarks.field.known import versions
from benchmarks.field.parts import ORDER, OTHER, Parts
from benchmarks.field.project import imported, project
from benchmarks.field.results import Table
from benchmarks.field.rounds import entered, shuffled

KEYS = 100
COLUMNS = [("one more tenant", "us"), ("memory of one", "KiB")]
METHOD = """\
An application of {keys} keys; each of {tenants} tenants has another store 7, hence a desk 7 of its own, which is asked
for; what the tenant needs for the other keys is kept. By the clock, after a first tenant; memory by tracemalloc, in
other tenants. svcs, lagom, injector and this project have children that share the rest, the others a container for each
tenant. This project starts every instance with a deadline, off the loop. {rounds} rounds."""
NOTES = "that-depends has one container per class; stevedore, pluggy, hydra and dynaconf have no such thing."


def tables(contenders: dict[str, ModuleType], chance: Random, *, short: bool) -> Iterator[Table]:
    rounds, tenants = (2, 4) if short else (9, 20)
    parts = Parts(KEYS)
    taking = {name: module for name, module in contenders.items() if hasattr(module, "tenant")}
    others = {name: module for name, module in taking.items() if name != "oneiric"}
    with project(parts, others) as folder:
        taking["oneiric"].write(parts, folder, 1 + 2 * tenants)
        with imported(folder):
            samplers = {name: _sampler(module, parts, tenants) for name, module in taking.items()}
            taken = shuffled(rounds, chance, samplers)
    rows = {name: [*map(list, zip(*samples, strict=True))] for name, samples in taken.items()}
    method = METHOD.format(keys=KEYS, tenants=tenants, rounds=rounds)
    yield Table("tenants", "One more tenant", method, COLUMNS, rows, versions(taking), NOTES)


def _sampler(module: ModuleType, parts: Parts, tenants: int) -> Callable[[], list[float]]:
    return lambda: asyncio.run(_sample(module, parts, tenants))


async def _sample(module: ModuleType, parts: Parts, tenants: int) -> list[float]:
    async with AsyncExitStack() as stack:
        own = await entered(stack, module.tenant(parts))
        kept = [await _one(own, 0)]
        times: list[float] = []
        for number in range(1, 1 + tenants):
            begin = perf_counter()
            kept.append(await _one(own, number))
            times.append((perf_counter() - begin) * 1e6)
        assert {await desk.serve(ORDER) for desk, _ in kept} == {OTHER}, module.__name__
        assert len({id(desk) for desk, _ in kept}) == len(kept), f"{module.__name__}: tenants share a desk"
        gc.collect()
        tracemalloc.start()
        try:
            kept += [await _one(own, number) for number in range(1 + tenants, 1 + 2 * tenants)]
            gc.collect()
            memory = tracemalloc.get_traced_memory()[0] / 1024 / tenants
        finally:
            tracemalloc.stop()
    return [median(times), memory]


async def _one(own: Callable[[str], Any], number: int) -> tuple[Any, Any]:
    found = own(f"t{number}")
    made: tuple[Any, Any] = await found if inspect.isawaitable(found) else found
    return made
