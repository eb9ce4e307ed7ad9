from typing import Protocol

from oneiric import component


class Http(Protocol):
    async def get(self, url: str) -> str: ...


@component("service", "http", provider="plain", port="shop.parts:Http")
class Plain:
    async def get(self, url: str) -> str:
        return url


class Storage(Protocol):
    async def put(self, url: str) -> str: ...


@component("service", "http", provider="of-none", layer=True)
class OfNone(Plain):
    def __init__(self, *, outer: Http) -> None: ...


@component("service", "http", provider="of-another", layer=True)
class OfAnother(Plain):
    def __init__(self, *, inner: Storage) -> None: ...


@component("service", "http", provider="by-position", layer=True)
class ByPosition(Plain):
    def __init__(self, inner: Http, /) -> None: ...


@component("service", "http", provider="offers-less", layer=True)
class OffersLess:
    def __init__(self, *, inner: Http) -> None: ...


@component("service", "http", provider="untyped", layer=True)
class Untyped(Plain):
    def __init__(self, inner, **more) -> None: ...
