from typing import Protocol

from oneiric import component


class Store(Protocol):
    async def get(self, name: str) -> str: ...


class Base:
    async def get(self, name: str) -> str:
        return name


@component("adapter", "store", provider="disk", port="aliases_unbound.parts:Store")
class Disk(Base): ...


@component("adapter", "store", provider="memory", stack_level=-1)
class Memory(Base): ...


@component("adapter", "other", provider="std", port="aliases_unbound.parts:Store")
class Other(Base): ...


@component("service", "names", provider="std", needs={"sessions": "adapter:session-store"}, optional=("sessions",))
class Names:
    def __init__(self, *, sessions: Store | None = None) -> None: ...
