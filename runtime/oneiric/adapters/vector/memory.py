"""Vector provider `memory`: an exact scan of points in this process."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from heapq import nsmallest
from operator import ge, gt, le, lt, mul
from typing import Any, cast

from oneiric import component
from oneiric.adapters.vector import (
    MAX_DIMENSION,
    Condition,
    Filter,
    Match,
    Metadata,
    Point,
    VectorClosed,
    VectorMisconfigured,
    check_ids,
    check_namespace,
    check_query,
    checked_points,
    checked_vector,
)

_PROVIDER = "memory"
_AT_ONCE = 256  # points looked at between two turns of the loop
_RANGES = {"gte": ge, "gt": gt, "lte": le, "lt": lt}


@component(
    "adapter",
    "vector",
    provider="memory",
    priority=0,
    stack_level=-10,
    capabilities=("cosine", "exact", "filter", "immediate", "namespaces"),
    port="oneiric.adapters.vector:Vectors",
)
class MemoryVectors:
    """Keeps points in memory and compares a query with every one of its namespace.

    `dimension`: how many numbers a vector has; by default as many as the first one.

    A query sees the points as they were when it began, and lets other tasks of the loop run in between.
    """

    def __init__(self, *, dimension: int | None = None) -> None:
        if dimension is not None and not 1 <= dimension <= MAX_DIMENSION:
            what = f"{dimension} is not from 1 to {MAX_DIMENSION}"
            raise VectorMisconfigured(what, provider=_PROVIDER, setting="dimension")
        self._dimension = dimension
        self._namespaces: dict[str, dict[str, tuple[Point, float]]] = {}  # by id, each with the length of its vector
        self._closed = False

    async def health(self) -> bool:
        return not self._closed

    async def aclose(self) -> None:
        self._closed = True
        self._namespaces.clear()

    async def upsert(self, points: Sequence[Point], *, namespace: str = "") -> None:
        self._check_open()
        checked = checked_points(points, namespace, self._dimension, _PROVIDER)
        if checked:
            self._dimension = len(checked[0].vector)
            kept = self._namespaces.setdefault(namespace, {})
            kept.update({point.id: (point, math.hypot(*point.vector)) for point in checked})

    async def query(
        self, vector: Sequence[float], *, limit: int = 10, where: Filter | None = None, namespace: str = ""
    ) -> list[Match]:
        self._check_open()
        check_namespace(namespace)
        check_query(limit, where)
        numbers = checked_vector(vector, self._dimension, _PROVIDER)
        length = math.hypot(*numbers)
        nearest: list[tuple[float, str, Metadata]] = []
        kept = list(self._namespaces.get(namespace, {}).values())
        for begin in range(0, len(kept), _AT_ONCE):
            if begin:
                await asyncio.sleep(0)
            for point, its_length in kept[begin : begin + _AT_ONCE]:
                if where is None or _meets(point.metadata, where):
                    cosine = sum(map(mul, numbers, point.vector)) / length / its_length
                    nearest.append((-max(-1.0, min(1.0, cosine)), point.id, point.metadata))
            nearest = nsmallest(limit, nearest, key=lambda each: each[:2])
        return [Match(id, -score, _copied(metadata)) for score, id, metadata in nearest]

    async def get(self, ids: Sequence[str], *, namespace: str = "") -> list[Point]:
        kept = self._kept(ids, namespace)
        points = [kept[id][0] for id in ids if id in kept]
        return [Point(point.id, point.vector, _copied(point.metadata)) for point in points]

    async def delete(self, ids: Sequence[str], *, namespace: str = "") -> None:
        kept = self._kept(ids, namespace)
        for id in ids:
            kept.pop(id, None)

    async def clear(self, *, namespace: str = "") -> None:
        self._kept((), namespace).clear()

    def _kept(self, ids: Sequence[str], namespace: str) -> dict[str, tuple[Point, float]]:
        self._check_open()
        check_namespace(namespace)
        check_ids(ids)
        return self._namespaces.get(namespace, {})

    def _check_open(self) -> None:
        if self._closed:
            raise VectorClosed("it is closed", provider=_PROVIDER)


def _copied(metadata: Metadata) -> Metadata:
    return {name: list(value) if isinstance(value, list) else value for name, value in metadata.items()}


def _meets(metadata: Metadata, where: Filter) -> bool:
    return all(name in metadata and _holds(metadata[name], condition) for name, condition in where.items())


def _holds(value: Any, condition: Condition) -> bool:
    if not isinstance(condition, Mapping):
        return _is_any_of(value, (condition,))
    operand: Any
    for operator, operand in condition.items():
        if operator == "ne":
            holds = not _is_any_of(value, (operand,))
        elif operator == "in":
            holds = _is_any_of(value, operand)
        else:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            holds = is_number and _RANGES[operator](value, operand)
        if not holds:
            return False
    return True


def _is_any_of(value: Any, wanted: Any) -> bool:
    if isinstance(value, list):  # of texts
        return any(each in wanted for each in cast("list[str]", value))
    return any(value == other and isinstance(value, bool) == isinstance(other, bool) for other in wanted)
