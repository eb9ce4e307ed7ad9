from typing import Protocol

from oneiric import component


class Http(Protocol):
    async def get(self, url: str) -> str: ...


@component("service", "http", provider="plain", port="shop.parts:Http")
class Plain:
    async def get(self, url: str) -> str:
        return url


@component("service", "http", provider="audited", layer=True)
class Audited(Plain):
    def __init__(self, *, inner: Http, label: str, most: int = 1) -> None: ...
