from typing import Protocol


class Mail(Protocol):
    async def send(self, to: str) -> None: ...


class Search(Protocol):
    async def find(self, words: str) -> list[str]: ...
