from typing import Protocol

from oneiric import component


class Gone(Exception): ...


class Http(Protocol):
    async def get(self, url: str) -> str: ...


@component("service", "http", provider="plain", port="layers_common.parts:Http")
class Plain:
    async def get(self, url: str) -> str:
        return url


@component("service", "mirror", provider="plain", port="layers_common.parts:Http")
class Mirror(Plain): ...
