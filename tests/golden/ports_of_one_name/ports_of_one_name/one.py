from typing import Protocol


class Mail(Protocol):
    async def send(self, to: str, *, urgent: bool = False) -> bool: ...
