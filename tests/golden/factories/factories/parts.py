from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar


class Thing:
    def __init__(self, *, size: int) -> None: ...


def make(*, size: int) -> Thing:
    return Thing(size=size)


async def make_async(*, size: int) -> Thing:
    return Thing(size=size)


@dataclass
class Data:
    kind: ClassVar[str] = "data"
    size: int
    _: KW_ONLY
    tags: list[str] = field(default_factory=list)
    count: int = field(default=0, init=False)


@dataclass(kw_only=True)
class Child(Data):
    colour: str = "blue"


class Inherits(Thing):
    pass


class Plain:
    pass


class Open:
    def __init__(self, size: int, **options: object) -> None: ...


def make_callable() -> Callable[[int], int]:
    return abs


def make_quoted() -> "Thing":
    return Thing(size=0)


def make_optional() -> Thing | None:
    return None
