from collections.abc import Mapping, Sequence
from typing import Protocol

from oneiric import component


class Plugin(Protocol):
    async def run(self) -> str: ...


class Named:
    async def run(self) -> str:
        return "ran"


@component("service", "plugin.a", provider="std", port="needs_gathered.parts:Plugin")
class A(Named): ...


@component("service", "plugin.b", provider="std", port="needs_gathered.parts:Plugin")
class B(Named): ...


@component("service", "plugin.b", provider="other", stack_level=-1)
class OtherB(Named): ...


@component("service", "plugin.c", provider="std", port="needs_gathered.parts:Plugin")
class C(Named): ...


@component("service", "plugin.all", provider="std", needs={"plugins": "service:plugin.*"}, port="needs_gathered.parts:Plugin")
class All(Named):
    """Matched by its own pattern, and never handed itself."""

    def __init__(self, *, plugins: list[Plugin]) -> None: ...


@component("task", "runner", provider="std", needs={"plugins": "service:plugin.*", "named": "service:plugin.*"})
class Runner:
    def __init__(self, *, plugins: tuple[Plugin, ...], named: Mapping[str, Plugin]) -> None: ...


@component("task", "none", provider="std", needs={"plugins": "event:*", "caches": "adapter:cach*"})
class Nothing:
    """Nothing is bound that matches, and a pattern binds no built-in."""

    def __init__(self, *, plugins: list[Plugin], caches: list[object]) -> None: ...
