from typing import Protocol

from oneiric import component


class Http(Protocol):
    async def get(self, url: str) -> str: ...


@component("service", "http", provider="plain", port="shop.parts:Http")
class Plain:
    async def get(self, url: str) -> str:
        return url


@component("service", "http", provider="audited", layer=True, needs={"audit": "service:audit", "lost": "service:lost"})
class Audited(Plain):
    def __init__(self, *, inner: Http, audit: object, lost: object) -> None: ...


@component("service", "audit", provider="std", needs={"http": "service:http"})
class Audit:
    def __init__(self, *, http: Http) -> None: ...
