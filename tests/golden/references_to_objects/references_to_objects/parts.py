from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple, TypedDict

from oneiric import Secret, component


class Point(NamedTuple):
    x: int
    y: float | None = None


class Typed(TypedDict, total=False):
    name: str
    flags: list[bool]


@dataclass
class Host:
    name: str
    port: int = 5432
    labels: dict[str, str] = field(default_factory=dict)


@dataclass
class Pool:
    size: int
    hosts: list[Host] = field(default_factory=list)
    password: Secret | None = None
    wait: timedelta = timedelta(0)


@component("adapter", "p", provider="p")
class P:
    def __init__(self, *, point: Point, pool: Pool, spare: Pool | None, typed: Typed) -> None: ...
