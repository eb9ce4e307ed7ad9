from collections.abc import Mapping, Sequence
from typing import Protocol

from oneiric import component


class Plugin(Protocol):
    async def run(self) -> str: ...


@component("service", "auth", provider="std", port="shop.parts:Plugin")
class Auth:
    async def run(self) -> str:
        return "ran"


@component("task", "auth", provider="std")
class AuthTask: ...


@component("service", "one", provider="std", needs={"handlers": ["service:auth", "service:gzp", "auth"]})
class One:
    def __init__(self, *, handlers: list[Plugin]) -> None: ...


@component("service", "two", provider="std", needs={"handlers": "service:a*", "pair": "service:a*", "one": ["service:auth"]})
class Two:
    def __init__(self, *, handlers: Plugin, pair: tuple[Plugin, Plugin], one: int) -> None: ...


@component("service", "three", provider="std", needs={"handlers": ["service:auth", "task:auth"]})
class Three:
    def __init__(self, *, handlers: Mapping[str, Plugin]) -> None: ...


@component("service", "four", provider="std", needs={"all": ["service:auth"], "more": "service:*"})
class Four:
    def __init__(self, *, al: list[Plugin], more: list[Plugin]) -> None: ...
