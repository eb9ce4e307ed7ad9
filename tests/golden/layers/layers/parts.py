from typing import Protocol

from oneiric import component


class Http(Protocol):
    async def get(self, url: str) -> str: ...


@component("service", "http", provider="plain", port="layers.parts:Http")
class Plain:
    async def get(self, url: str) -> str:
        return url


class Audit:
    async def note(self, url: str) -> None: ...


@component("service", "audit", provider="std")
def audit() -> Audit:
    return Audit()


@component("service", "http", provider="audited", layer=True, needs={"audit": "service:audit"})
class Audited:
    def __init__(self, *, inner: Http, audit: Audit, label: str, token: str = "") -> None:
        self.inner, self.audit, self.label, self.token = inner, audit, label, token

    async def get(self, url: str) -> str:
        await self.audit.note(url)
        return await self.inner.get(url)


@component("service", "http", provider="counted", layer=True)
async def counted(inner: Http, most: int = 1, note: str = "") -> Http:
    return inner


@component("service", "reader", provider="std", needs={"http": "service:http"})
class Reader:
    def __init__(self, *, http: Http) -> None:
        self.http = http
