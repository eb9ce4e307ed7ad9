from typing import Protocol

from oneiric import component


class Gone(Exception): ...


class Http(Protocol):
    async def get(self, url: str) -> str: ...
    def name(self) -> str: ...


@component("service", "http", provider="plain", port="shop.parts:Http")
class Plain:
    async def get(self, url: str) -> str:
        return url

    def name(self) -> str:
        return "plain"
