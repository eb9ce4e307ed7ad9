from datetime import timedelta
from typing import Annotated, NamedTuple, NewType, NotRequired, Required, TypedDict

from annotated_types import Ge, Interval, Len, MaxLen, MinLen
from oneiric import Secret, component

LIMIT = 5
UserId = NewType("UserId", str)
Port = NewType("Port", int)
Low = Annotated[int, Interval(ge=1, lt=LIMIT)]


class Point(NamedTuple):
    x: int
    y: int = 0


class Base(TypedDict):
    host: str


class Options(Base, total=False):
    port: Required[int]
    password: Secret
    points: list[Point]


class More(TypedDict):
    user: UserId
    note: NotRequired[str]


@component("adapter", "mail", provider="p")
class P:
    def __init__(
        self,
        *,
        pair: tuple[int, str],
        nested: list[tuple[str, tuple[float, Point]]],
        empty: tuple[()],
        user: UserId,
        ports: list[Port],
        options: Options,
        more: More,
        low: Low | None,
        names: Annotated[list[Annotated[str, MinLen(1)]], Len(1, 3)],
        back: Annotated[timedelta, Ge(timedelta(hours=-1))],
        short: Annotated[str, MaxLen(3)] = "",
        origin: Point = Point(0, 0),
    ) -> None: ...
