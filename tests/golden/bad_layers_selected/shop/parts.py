from typing import Protocol

from oneiric import component


class Http(Protocol):
    async def get(self, url: str) -> str: ...


@component("service", "http", provider="plain", port="shop.parts:Http")
class Plain:
    async def get(self, url: str) -> str:
        return url


@component("service", "http", provider="audited", layer=True)
class Audited:
    def __init__(self, *, inner: Http, label: str = "") -> None:
        self.inner, self.label = inner, label

    async def get(self, url: str) -> str:
        return await self.inner.get(url)
