from typing import Protocol, TypedDict


class Mail(Protocol):
    async def send(self, to: str) -> None: ...


class Search(Protocol):
    async def find(self, words: str) -> list[str]: ...


class Order(TypedDict):
    id: str


class Sent(TypedDict):
    id: str
    by: str
