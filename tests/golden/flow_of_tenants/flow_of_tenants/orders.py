from typing import Protocol, TypedDict
from oneiric import component

class Order(TypedDict):
    id: str
    quantity: int

class Reserved(TypedDict):
    cents: int
    parcels: list[str]

class Charged(TypedDict):
    id: str

class Reserve(Protocol):
    async def __call__(self, *, order: str, quantity: int) -> Reserved: ...

class Charge(Protocol):
    async def __call__(self, *, order: str, cents: int) -> Charged: ...

class Label(Protocol):
    async def __call__(self, *, parcel: str) -> str: ...

@component("task", "reserve-stock", provider="shelf", port="flow_of_tenants.orders:Reserve")
class Shelf:
    async def __call__(self, *, order: str, quantity: int) -> Reserved:
        return {"cents": quantity * 100, "parcels": [f"{order}-{n}" for n in range(quantity)]}

@component("task", "charge-card", provider="card", port="flow_of_tenants.orders:Charge")
class Card:
    async def __call__(self, *, order: str, cents: int) -> Charged:
        return {"id": f"charge-{order}"}

@component("task", "label", provider="printer", port="flow_of_tenants.orders:Label")
class Printer:
    async def __call__(self, *, parcel: str) -> str:
        return f"label of {parcel}"


class Mail(Protocol):
    async def send(self, *, text: str, copies: int = 1) -> None: ...


@component("service", "mail", provider="printed", port="flow_of_tenants.orders:Mail")
class Printed:
    async def send(self, *, text: str, copies: int = 1) -> None:
        print(text * copies)
