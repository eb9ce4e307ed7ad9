from collections.abc import Mapping, Sequence
from typing import Protocol

from oneiric import component


class Plugin(Protocol):
    async def run(self) -> str: ...


@component("service", "auth", provider="std", port="shop.parts:Plugin")
class Auth:
    async def run(self) -> str:
        return "ran"


@component("service", "one", provider="std", needs={"auth": "service:auth"}, optional=("auth", "ath", "depth"))
class One:
    def __init__(self, *, auth: Plugin, depth: int = 1) -> None: ...


@component("service", "two", provider="std", needs={"auth": "service:auht"}, optional=("auth",), lazy=("author",))
class Two:
    def __init__(self, *, auth: Plugin | None = None) -> None: ...


@component("service", "three", provider="std", needs={"auth": "service:auth"}, lazy=("auth",))
class Three:
    def __init__(self, *, auth: Plugin) -> None:
        self.later = lambda: auth.run()
        auth.run()


@component("service", "four", provider="std", needs={"auth": "service:auth"}, lazy=("auth",))
async def four(*, auth: Plugin) -> Auth:
    if await auth.run():
        return Auth()
    return Auth()


@component("adapter", "secrets", provider="own", needs={"auth": "service:auth"}, lazy=("auth",))
class OwnSecrets:
    def __init__(self, *, auth: Plugin) -> None: ...

    async def get(self, name: str) -> object: ...
