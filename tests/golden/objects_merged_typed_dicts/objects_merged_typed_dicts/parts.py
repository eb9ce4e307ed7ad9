from typing import NamedTuple, TypedDict

from oneiric import component


class Point(NamedTuple):
    x: int
    y: int


class Shape(TypedDict):
    origin: Point
    tags: list[str]


@component("adapter", "plot", provider="p")
class Plot:
    def __init__(self, *, shape: Shape) -> None: ...
