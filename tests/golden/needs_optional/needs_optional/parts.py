from collections.abc import Mapping, Sequence
from typing import Protocol

from oneiric import component


class Plugin(Protocol):
    async def run(self) -> str: ...


class Named:
    async def run(self) -> str:
        return "ran"


@component("service", "auth", provider="std", port="needs_optional.parts:Plugin")
class Auth(Named): ...


@component(
    "service",
    "web",
    provider="std",
    needs={"auth": "service:auth", "metrics": "service:metrics", "others": ["service:auth", "service:gzip"]},
    optional=("auth", "metrics", "others"),
)
class Web:
    def __init__(self, *, others: list[Plugin], auth: Plugin | None = None, metrics: Plugin | None = None) -> None: ...
