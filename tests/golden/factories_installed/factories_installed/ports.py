from typing import Protocol


class Rows(Protocol):
    async def rows(self, query: str) -> list[str]: ...
