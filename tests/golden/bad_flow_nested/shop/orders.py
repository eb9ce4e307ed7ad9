from dataclasses import dataclass
from typing import Protocol, TypedDict

from oneiric import component


class Line(TypedDict):
    sku: str
    count: int


@dataclass
class Address:
    street: str
    city: str | None = None


class Order(TypedDict):
    id: str
    count: int
    line: Line


class Ship(Protocol):
    async def __call__(
        self, *, lines: list[Line], to: Address | None = None, prices: dict[str, int] | None = None
    ) -> None: ...


@component("task", "ship", provider="van", port="shop.orders:Ship")
class Van:
    async def __call__(
        self, *, lines: list[Line], to: Address | None = None, prices: dict[str, int] | None = None
    ) -> None: ...
