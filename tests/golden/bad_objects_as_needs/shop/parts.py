from dataclasses import dataclass

from oneiric import component


@dataclass
class Clock:
    zone: str = "UTC"


def clock() -> Clock:
    return Clock()


@component("service", "report", provider="p")
class Report:
    def __init__(self, *, clock: Clock) -> None: ...
