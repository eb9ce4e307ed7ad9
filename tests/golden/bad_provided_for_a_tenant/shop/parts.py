from typing import Protocol

from oneiric import component


class Phases(Protocol):
    def now(self) -> str: ...


@component("service", "phases", provider="fixed")
class Fixed:
    def now(self) -> str:
        return "new"


@component("service", "moons", provider="fixed", priority=1)
class Moons(Fixed): ...
