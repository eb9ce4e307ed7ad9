from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from oneiric import component


class Plugin(Protocol):
    async def run(self) -> str: ...


class Named:
    async def run(self) -> str:
        return "ran"


@component("service", "auth", provider="std", port="needs_listed.parts:Plugin")
class Auth(Named): ...


@component("service", "gzip", provider="std", port="needs_listed.parts:Plugin")
class Gzip(Named): ...


@component("service", "web", provider="std", needs={"handlers": ["service:gzip", "service:auth"]})
class Web:
    def __init__(self, *, handlers: list[Plugin], depth: int = 2) -> None: ...


@component("service", "tuple", provider="std", needs={"handlers": ("gzip", "auth")})
class InTuple:
    def __init__(self, *, handlers: tuple[Plugin, ...]) -> None: ...


@component("service", "sequence", provider="std", needs={"handlers": ["service:auth"]})
class InSequence:
    def __init__(self, *, handlers: Sequence[Plugin] | None) -> None: ...


@component("service", "mapping", provider="std", needs={"handlers": ["service:gzip", "service:auth"]})
class ByName:
    def __init__(self, *, handlers: Mapping[str, Plugin]) -> None: ...


def serve(handlers: Any) -> object:
    return handlers
