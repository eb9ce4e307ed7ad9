from typing import Protocol


class Mail(Protocol):
    async def post(self, to: str, *, urgent: bool = False) -> bool: ...
