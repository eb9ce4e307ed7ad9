"""What is asked for, and which documents are that; for providers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any, cast

from oneiric.adapters.nosql import MAX_CHOICES, MAX_DEPTH, MAX_OPERANDS, Document, InvalidQuery, Json, Scalar, Where
from oneiric.adapters.nosql._checks import check_collection, is_field, is_scalar

Path = tuple[str, ...]
RANGES: Mapping[str, Callable[[Any, Any], bool]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
_MISSING = object()


@dataclass(frozen=True)
class Query:
    """A query that was checked. A plain value is `eq`."""

    conditions: Sequence[tuple[Path, str, Any]]
    order: Path | None = None
    descending: bool = False
    limit: int | None = None

    def meets(self, data: Mapping[str, Json]) -> bool:
        """Whether a document meets all conditions, and has a place in the order."""
        if self.order is not None and not _has_a_place(_value(data, self.order)):
            return False
        return all(_holds(_value(data, path), operator, operand) for path, operator, operand in self.conditions)

    async def chosen(self, documents: AsyncIterator[Document]) -> AsyncGenerator[Document, None]:
        """Of all documents of a collection, by id, those that are asked for."""
        if self.order is not None or self.descending:
            for document in await self._sorted(documents):
                yield document
            return
        given = 0
        async for document in documents:
            if self.meets(document.data):
                yield document
                given += 1
                if given == self.limit:
                    return

    async def _sorted(self, documents: AsyncIterator[Document]) -> list[Document]:
        """Those that are asked for; what is too much for the limit is not kept."""
        found: list[Document] = []
        async for document in documents:
            if self.meets(document.data):
                found.append(document)
            if self.limit is not None and len(found) >= 2 * self.limit + 100:
                found = self._first(found)
        return self._first(found)

    def _first(self, found: list[Document]) -> list[Document]:
        return sorted(found, key=self._place, reverse=self.descending)[: self.limit]

    def _place(self, document: Document) -> tuple[Any, ...]:
        if self.order is None:
            return (document.id,)
        return (*_rank(_value(document.data, self.order)), document.id)


def checked_query(
    collection: str, where: Where | None, order: str | None = None, descending: bool = False, limit: int | None = None
) -> Query:
    """The query. Raises `InvalidQuery`, and `InvalidDocument` for the collection."""
    check_collection(collection)
    if where is not None and not isinstance(where, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidQuery("`where` is a mapping of fields to conditions")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise InvalidQuery("a limit is an integer from 1")
    conditions: list[tuple[Path, str, Any]] = []
    for name, condition in (where or {}).items():
        path = _path(name)
        if not isinstance(condition, Mapping):
            condition = {"eq": condition}
        if not condition:
            raise InvalidQuery(f"the condition of {name!r} is empty")
        for operator, operand in condition.items():
            _check_operand(name, operator, operand)
            conditions.append((path, operator, operand))
    if sum(len(operand) if operator == "in" else 1 for _, operator, operand in conditions) > MAX_OPERANDS:
        raise InvalidQuery(f"a query has at most {MAX_OPERANDS} values")
    return Query(conditions, None if order is None else _path(order), bool(descending), limit)


def _path(name: str) -> Path:
    path = tuple(name.split(".")) if isinstance(name, str) else ()  # pyright: ignore[reportUnnecessaryIsInstance]
    if not 1 <= len(path) <= MAX_DEPTH or not all(map(is_field, path)):
        raise InvalidQuery(f"{name!r:.60} is not a valid field, or fields with dots between")
    return path


def _check_operand(name: str, operator: str, operand: Any) -> None:
    if operator in RANGES:
        if not is_scalar(operand) or operand is None or isinstance(operand, bool):
            raise InvalidQuery(f"`{operator}` of {name!r} wants a number or a text")
    elif operator == "in":
        values = cast("Sequence[Any]", operand) if isinstance(operand, list | tuple) else None
        if values is None or len(values) > MAX_CHOICES or not all(map(is_scalar, values)):
            raise InvalidQuery(f"`in` of {name!r} wants a list of at most {MAX_CHOICES} values that hold no others")
    elif operator not in ("eq", "ne", "contains"):
        raise InvalidQuery(f"{operator!r} is not a condition: there are eq, ne, {', '.join(RANGES)}, in and contains")
    elif not is_scalar(operand):
        raise InvalidQuery(f"`{operator}` of {name!r} wants null, a boolean, a number or a text")


def _value(data: Any, path: Path) -> Any:
    for name in path:
        data = cast("Mapping[str, Any]", data).get(name, _MISSING) if isinstance(data, Mapping) else _MISSING
    return data


def _holds(value: Any, operator: str, operand: Any) -> bool:
    if value is _MISSING:
        return False
    if operator in RANGES:
        return _kind(value) == _kind(operand) and RANGES[operator](value, operand)
    if operator == "contains":
        return isinstance(value, list) and any(_is(each, operand) for each in cast("list[object]", value))
    if operator == "in":
        return any(_is(value, each) for each in operand)
    return _is(value, operand) is (operator == "eq")


def _is(value: Any, other: Scalar) -> bool:
    return _kind(value) == _kind(other) and bool(value == other)


def _kind(value: Any) -> str:
    """Values of two kinds are not equal, nor is one the greater."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value).__name__
    return "number"


_KINDS = ("NoneType", "number", "str", "bool")  # in the order of MongoDB


def _has_a_place(value: Any) -> bool:
    return _kind(value) in _KINDS


def _rank(value: Any) -> tuple[int, Any]:
    return _KINDS.index(_kind(value)), 0 if value is None else value
