from __future__ import annotations

from collections.abc import AsyncIterator, Iterator


class Postal:
    def __init__(self, sender: str) -> None:
        self.sender = sender

    async def send(self, to: str, text: str) -> bool:
        return True

    @classmethod
    def of(cls, *, sender: str = "shop") -> Postal:
        return cls(sender)

    @classmethod
    async def opened(cls) -> AsyncIterator[Postal]:
        yield cls("opened")


def entered(*, sender: str = "shop") -> Iterator[Postal]:
    yield Postal(sender)
