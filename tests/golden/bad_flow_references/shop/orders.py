from dataclasses import dataclass
from typing import Protocol, TypedDict

from oneiric import component


@dataclass
class Customer:
    name: str


@dataclass
class Order:
    id: str
    cents: int
    lines: list[str]
    customer: Customer


class Charged(TypedDict):
    id: str


class Charge(Protocol):
    async def __call__(self, *, order: str, cents: int, note: str | None = None) -> Charged: ...
    async def back(self, *, id: str) -> None: ...
    def quote(self, *, cents: int) -> int: ...
    async def raw(self, data: str) -> None: ...


@component("task", "charge", provider="card", port="shop.orders:Charge")
class Card:
    async def __call__(self, *, order: str, cents: int, note: str | None = None) -> Charged:
        return {"id": order}

    async def back(self, *, id: str) -> None: ...

    def quote(self, *, cents: int) -> int:
        return cents

    async def raw(self, data: str) -> None: ...


class Mail(Protocol):
    async def send(self, *, text: str) -> None: ...


@component("service", "mail", provider="printed", port="shop.orders:Mail")
class Printed:
    async def send(self, *, text: str) -> None: ...
