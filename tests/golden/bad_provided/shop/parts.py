from typing import Protocol

from oneiric import component


class Phases(Protocol):
    def now(self) -> str: ...


class Fixed:
    async def now(self) -> str:
        return "new"


@component("service", "phases", provider="fixed", provided=True)
class Other: ...
