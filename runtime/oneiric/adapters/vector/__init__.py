"""The port `vector`: points found by the direction of their vectors, nearest first."""

from __future__ import annotations

import json
import math
import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, cast

from oneiric.adapters._common.texts import is_plain
from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

MAX_ID = 512
"""Bytes of an id in UTF-8, at most."""
MAX_DIMENSION = 16_000
"""Numbers in a vector, at most."""
MAX_LENGTH = 1e15
"""The length of a vector, at most; at least it is one by this."""
MAX_METADATA = 40 * 1024
"""Bytes of a point's metadata as JSON in UTF-8, at most."""
MAX_NUMBER = 2**53
"""The size of an integer in metadata or a filter, at most: beyond it some servers round."""
MAX_LIMIT = 1000
"""Matches of one query, at most."""

Scalar: TypeAlias = str | int | float | bool
Metadata: TypeAlias = Mapping[str, Scalar | Sequence[str]]
Operator: TypeAlias = Literal["gte", "gt", "lte", "lt", "in", "ne"]
Condition: TypeAlias = Scalar | Mapping[Operator, Scalar | Sequence[Scalar]]
Filter: TypeAlias = Mapping[str, Condition]

_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{0,64}")
_FIELD = re.compile(r"[^\W\d][\w-]{0,127}")
_RANGES = ("gte", "gt", "lte", "lt")


class VectorError(AdapterError):
    """Anything the port `vector` raises."""

    key = "vector"


class VectorClosed(VectorError, Closed):
    """It was closed, or not started yet."""


class VectorUnavailable(VectorError, Unavailable):
    """The server does not answer, or not in time. A change that was under way may have happened or not."""


class VectorRefused(VectorError, Refused):
    """The server turns this component away: its credentials, its certificate or what it may do."""


class VectorMisconfigured(VectorError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class InvalidPoint(VectorError):
    """An id, vector, metadata or namespace of a wrong type or outside the limits of the port; nothing was changed."""


class InvalidQuery(VectorError):
    """A limit or filter of a wrong type or outside the limits of the port."""


class WrongDimension(VectorError):
    """A vector has another number of numbers than those that are kept; nothing was changed."""

    def __init__(self, given: int, wanted: int, *, provider: str | None = None) -> None:
        self.given = given
        self.wanted = wanted
        super().__init__(f"a vector here has {wanted} numbers, this one has {given}", provider=provider)


@dataclass(frozen=True, slots=True)
class Point:
    """A vector under an id. Its numbers are kept as 32-bit floats."""

    id: str
    vector: Sequence[float] = field(repr=False)
    metadata: Metadata = field(default_factory=dict[str, "Scalar | Sequence[str]"], hash=False)


@dataclass(frozen=True, slots=True)
class Match:
    """A point that was found; `score` is the cosine of the angle between the vectors, -1 to 1."""

    id: str
    score: float
    metadata: Metadata = field(hash=False)


class Vectors(Protocol):
    """Keeps points in namespaces that know nothing of each other, and finds the nearest by cosine.

    Ids are 1 to `MAX_ID` bytes of UTF-8 without NUL. Vectors have 1 to `MAX_DIMENSION` finite numbers, all of one
    component equally many, and a length: one of zeros has no direction and is refused. Metadata are texts, numbers,
    booleans and lists of texts under names that are words.

    What is written is found by the next call, where a component has the capability `immediate`; else a while later.
    """

    async def upsert(self, points: Sequence[Point], *, namespace: str = "") -> None:
        """Keep points, each in place of the one that had its id, metadata included.

        Raises `InvalidPoint` and `WrongDimension`, before anything is changed.
        """
        ...

    async def query(
        self, vector: Sequence[float], *, limit: int = 10, where: Filter | None = None, namespace: str = ""
    ) -> list[Match]:
        """At most `limit` points nearest to a vector, nearest first, of those that meet all conditions of `where`.

        `{"lang": "de", "year": {"gte": 2020, "lt": 2030}, "tag": {"in": ["a", "b"]}}`: a field that is missing meets
        no condition, not even `ne`; a list meets one for any of its texts, and `ne` when none is equal. A boolean is
        no number. Ranges are of numbers.
        Raises `InvalidQuery`, `InvalidPoint` and `WrongDimension`.
        """
        ...

    async def get(self, ids: Sequence[str], *, namespace: str = "") -> list[Point]:
        """The points with these ids, in their order; those that are not there are left out."""
        ...

    async def delete(self, ids: Sequence[str], *, namespace: str = "") -> None:
        """Forget the points with these ids, where they are there."""
        ...

    async def clear(self, *, namespace: str = "") -> None:
        """Forget all points of a namespace."""
        ...


def check_namespace(namespace: str) -> None:
    """Raise `InvalidPoint` unless it is the name of a namespace. For providers, like the other checks."""
    if not isinstance(namespace, str) or not _NAMESPACE.fullmatch(namespace):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidPoint("a namespace is at most 64 ASCII letters, digits, `_`, `.` and `-`")


def check_ids(ids: Sequence[str]) -> None:
    """Raise `InvalidPoint` unless all are ids."""
    if isinstance(ids, str):
        raise InvalidPoint("ids are a list of texts, not one text")
    for each in ids:
        if not is_plain(each) or not 1 <= len(each.encode()) <= MAX_ID:
            raise InvalidPoint(f"an id is text of 1 to {MAX_ID} bytes of UTF-8 without NUL")


def checked_vector(vector: Sequence[float], dimension: int | None, provider: str) -> tuple[float, ...]:
    """The vector as it is kept; raises `InvalidPoint`, and `WrongDimension` where that is known."""
    if isinstance(vector, str | bytes):
        raise InvalidPoint(f"a vector is a list of numbers, not {type(vector).__name__}")
    try:
        numbers = tuple(array("f", iter(vector)))
    except (TypeError, OverflowError):
        raise InvalidPoint("a vector is a list of numbers") from None
    if not 1 <= len(numbers) <= MAX_DIMENSION:
        raise InvalidPoint(f"a vector has 1 to {MAX_DIMENSION} numbers, this one has {len(numbers)}")
    if not 1 / MAX_LENGTH <= math.hypot(*numbers) <= MAX_LENGTH:
        raise InvalidPoint(f"a vector has finite numbers and a length of {1 / MAX_LENGTH:g} to {MAX_LENGTH:g}")
    if dimension is not None and len(numbers) != dimension:
        raise WrongDimension(len(numbers), dimension, provider=provider)
    return numbers


def checked_points(points: Sequence[Point], namespace: str, dimension: int | None, provider: str) -> list[Point]:
    """Copies of the points as they are kept; raises `InvalidPoint` and `WrongDimension`."""
    check_namespace(namespace)
    check_ids([point.id for point in points])
    if len({point.id for point in points}) < len(points):
        raise InvalidPoint("two points have one id")
    checked: list[Point] = []
    for point in points:
        numbers = checked_vector(point.vector, dimension, provider)
        dimension = len(numbers)
        checked.append(Point(point.id, numbers, _checked_metadata(point.metadata)))
    return checked


def check_query(limit: int, where: Filter | None) -> None:
    """Raise `InvalidQuery` unless they are a limit and a filter."""
    if type(limit) is not int or not 1 <= limit <= MAX_LIMIT:
        raise InvalidQuery(f"a limit is an integer from 1 to {MAX_LIMIT}")
    if where is not None and not isinstance(where, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidQuery("a filter is a mapping of fields to conditions")
    for name, condition in (where or {}).items():
        if not _is_field(name):
            raise InvalidQuery(f"{name!r} is not a valid field")
        if not isinstance(condition, Mapping):
            condition = {"in": [condition]}
        if not condition:
            raise InvalidQuery(f"the condition of {name!r} is empty")
        for operator, operand in condition.items():
            _check_operand(name, operator, operand)


def _check_operand(name: str, operator: str, operand: Any) -> None:
    if operator in _RANGES:
        if not _is_scalar(operand) or isinstance(operand, str | bool):
            raise InvalidQuery(f"`{operator}` of {name!r} wants a number")
    elif operator == "in":
        if not isinstance(operand, list | tuple) or not all(map(_is_scalar, cast("Sequence[Any]", operand))):
            raise InvalidQuery(f"the condition of {name!r} wants texts, numbers or booleans; `in` wants a list of them")
    elif operator != "ne":
        raise InvalidQuery(f"{operator!r} is not a condition: there are {', '.join(_RANGES)}, in and ne")
    elif not _is_scalar(operand):
        raise InvalidQuery(f"`ne` of {name!r} wants a text, number or boolean")


def _checked_metadata(metadata: Metadata) -> Metadata:
    if not isinstance(metadata, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidPoint("metadata are a mapping")
    copied: dict[str, Scalar | Sequence[str]] = {}
    for name, value in metadata.items():
        if not _is_field(name):
            raise InvalidPoint(f"{name!r} is not a valid field: it is a word of at most 128 letters, digits, `_`, `-`")
        if _is_scalar(value):
            copied[name] = value
        elif isinstance(value, list | tuple) and all(map(is_plain, value)):
            copied[name] = list(value)
        else:
            raise InvalidPoint(
                f"the metadata of {name!r} is not a text without NUL, a finite number, an integer up to 2**53, "
                "a boolean or a list of texts"
            )
    if len(json.dumps(copied, ensure_ascii=False).encode()) > MAX_METADATA:
        raise InvalidPoint(f"metadata have at most {MAX_METADATA} bytes as JSON")
    return copied


def _is_field(name: Any) -> bool:
    return isinstance(name, str) and _FIELD.fullmatch(name) is not None


def _is_scalar(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) <= MAX_NUMBER
    return math.isfinite(value) if isinstance(value, float) else is_plain(value)
