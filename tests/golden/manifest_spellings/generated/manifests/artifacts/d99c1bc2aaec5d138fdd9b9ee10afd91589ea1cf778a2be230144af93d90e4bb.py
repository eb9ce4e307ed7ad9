from __future__ import annotations

from enum import Enum


class Mode(Enum):
    FAST = "fast"
    SAFE = "safe"


class Postal:
    def __init__(self, *, sender: str = "shop", mode: Mode = Mode.SAFE) -> None:
        self.sender, self.mode = sender, mode

    async def send(self, to: str, text: str) -> bool:
        return True


async def pigeon(*, wings: int = 2) -> Postal:
    return Postal(sender=f"{wings} wings")
