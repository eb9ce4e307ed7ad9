from collections.abc import Mapping
from typing import Protocol

from oneiric import component


class Part(Protocol):
    async def name(self) -> str: ...


class Base:
    async def name(self) -> str:
        return type(self).__name__


@component("task", "cron", provider="std", needs={"clock": "service:clock"}, port="unbind_in_a_profile.parts:Part")
class Cron(Base):
    def __init__(self, *, clock: Part, every: int) -> None: ...


@component("service", "clock", provider="std", port="unbind_in_a_profile.parts:Part")
class Clock(Base): ...


@component(
    "service",
    "report",
    provider="std",
    needs={"cron": "task:cron", "parts": "task:*", "listed": ["service:clock", "task:cron"]},
    optional=("cron", "listed"),
    lazy=("cron",),
)
class Report(Base):
    def __init__(self, *, parts: Mapping[str, Part], listed: list[Part], cron: Part | None = None) -> None: ...


@component("service", "page", provider="std", needs={"report": "service:report"})
class Page(Base):
    def __init__(self, *, report: Part) -> None: ...
