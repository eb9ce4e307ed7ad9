from typing import Protocol

from oneiric import component


class Store(Protocol):
    async def get(self, name: str) -> str: ...


class Base:
    async def get(self, name: str) -> str:
        return name


@component("adapter", "store", provider="disk", port="aliases.parts:Store")
class Disk(Base): ...


@component("adapter", "store", provider="memory", stack_level=-1)
class Memory(Base): ...


@component("adapter", "other", provider="std", port="aliases.parts:Store")
class Other(Base): ...


@component("service", "names", provider="std", needs={"sessions": "session-store", "store": "adapter:store"})
class Names:
    def __init__(self, *, sessions: Store, store: Store) -> None: ...


@component(
    "service",
    "lists",
    provider="std",
    needs={"stores": ["service:kept", "adapter:session-store"], "all": "adapter:*", "maybe": "service:kept"},
    optional=("maybe",),
)
class Lists:
    def __init__(self, *, stores: list[Store], all: list[Store], maybe: Store | None = None) -> None: ...
