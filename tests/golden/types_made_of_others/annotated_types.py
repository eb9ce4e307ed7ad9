from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ge:
    ge: Any


@dataclass(frozen=True)
class Interval:
    ge: Any = None
    lt: Any = None


@dataclass(frozen=True)
class Len:
    min_length: int = 0
    max_length: int | None = None


@dataclass(frozen=True)
class MinLen:
    min_length: int


@dataclass(frozen=True)
class MaxLen:
    max_length: int
