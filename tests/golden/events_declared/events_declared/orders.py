from typing import Protocol, TypedDict
from oneiric import Token, component

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
    async def __call__(self, *, order: str, cents: int, token: Token) -> Charged: ...

class Label(Protocol):
    async def __call__(self, *, parcel: str) -> str: ...

@component("task", "reserve-stock", provider="shelf", port="events_declared.orders:Reserve")
class Shelf:
    async def __call__(self, *, order: str, quantity: int) -> Reserved:
        return {"cents": quantity * 100, "parcels": [f"{order}-{n}" for n in range(quantity)]}

@component("task", "charge-card", provider="card", port="events_declared.orders:Charge")
class Card:
    async def __call__(self, *, order: str, cents: int, token: Token) -> Charged:
        return {"id": f"charge-{order}"}

@component("task", "label", provider="printer", port="events_declared.orders:Label")
class Printer:
    async def __call__(self, *, parcel: str) -> str:
        return f"label of {parcel}"

@component("event", "welcome", provider="welcome")
class Welcome:
    async def __call__(self, *, event: Order) -> None:
        print("welcome", event["id"])

@component("event", "audit", provider="audit")
class Audit:
    async def __call__(self, *, event: object) -> None:
        print("audit", event)
