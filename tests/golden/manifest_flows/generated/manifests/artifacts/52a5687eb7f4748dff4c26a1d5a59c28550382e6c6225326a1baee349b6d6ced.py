from __future__ import annotations


class Extract:
    async def __call__(self, *, day: str, limit: int = 10) -> list[str]:
        return [day]


class Load:
    async def __call__(self, *, stage: str = "inventory") -> str:
        return stage


class Dispatch:
    async def __call__(self, *, event: dict[str, object]) -> None:
        return None
