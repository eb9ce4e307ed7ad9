from typing import Protocol


class Mail(Protocol):
    async def send(self, to: str, text: str) -> bool: ...
