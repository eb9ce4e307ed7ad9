from dataclasses import dataclass
from typing import Any

from oneiric import component


@dataclass
class Placed:
    id: str
    country: str


@dataclass
class Paid:
    id: str


@component("event", "mail", provider="mail")
class Mail:
    async def __call__(self, *, event: Paid) -> None: ...


@component("event", "audit", provider="audit")
class Audit:
    async def __call__(self, event: Placed) -> None: ...


@component("event", "count", provider="count")
class Count:
    def count(self) -> None: ...


@component("event", "forgotten", provider="forgotten")
class Forgotten:
    async def __call__(self, *, event: Any) -> None: ...


@component("event", "fulfil", provider="fulfil")
class Fulfil:
    async def __call__(self, *, event: Placed | Paid) -> None: ...


@component("task", "work", provider="work")
class Work:
    async def __call__(self, *, id: str) -> None: ...
