from typing import Protocol

from oneiric import component


class Phases(Protocol):
    def now(self) -> str: ...


@component("service", "phases", provider="fixed", stack_level=-1)
class Fixed:
    def __init__(self, *, phase: str = "new") -> None: ...

    def now(self) -> str:
        return "new"


@component("service", "tide", provider="std", needs={"phases": "service:phases"})
class Tide:
    def __init__(self, *, phases: Phases) -> None: ...
