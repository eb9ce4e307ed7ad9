from collections.abc import Mapping, Sequence
from typing import Protocol

from oneiric import component


class Plugin(Protocol):
    async def run(self) -> str: ...


@component("service", "orders", provider="std", needs={"audit": "service:audit"}, lazy=("audit",))
class Orders:
    """A cycle of needs, which one that is lazy breaks."""

    def __init__(self, *, audit: Plugin) -> None:
        self.audit = audit

    async def run(self) -> str:
        return await self.audit.run()


@component("service", "audit", provider="std", needs={"orders": "service:orders"}, port="needs_lazy.parts:Plugin")
class Audit:
    def __init__(self, *, orders: Orders) -> None: ...

    async def run(self) -> str:
        return "ran"


@component(
    "task", "all", provider="std", needs={"plugins": "service:*", "again": "service:audit"}, lazy=("plugins",)
)
class All:
    def __init__(self, *, plugins: list[object], again: Plugin) -> None: ...
