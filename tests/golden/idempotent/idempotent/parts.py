from typing import Protocol

from oneiric import Token, component


class Mail(Protocol):
    async def send(self, *, text: str) -> None: ...
    async def count(self) -> int: ...


class Charge(Protocol):
    async def __call__(self, *, cents: int, token: Token | None = None) -> str: ...


@component("service", "mail", provider="plain", port="idempotent.parts:Mail", idempotent=("count",))
class Plain:
    async def send(self, *, text: str) -> None: ...

    async def count(self) -> int:
        return 0


@component("service", "log", provider="log", port="idempotent.parts:Mail", idempotent=True)
class Log:
    async def send(self, *, text: str) -> None: ...

    async def count(self) -> int:
        return 0


@component("task", "charge", provider="card", port="idempotent.parts:Charge")
class Card:
    async def __call__(self, *, cents: int, token: Token | None = None) -> str:
        return str(token)
