from collections.abc import Mapping, Sequence
from typing import Protocol

from oneiric import component


class Plugin(Protocol):
    async def run(self) -> str: ...


@component("service", "plugin.a", provider="std", port="shop.parts:Plugin")
class A:
    async def run(self) -> str:
        return "ran"


@component("service", "runner", provider="std", needs={"plugins": "service:plugin.*"})
class Runner:
    def __init__(self, *, plugins: list[Plugin]) -> None: ...
