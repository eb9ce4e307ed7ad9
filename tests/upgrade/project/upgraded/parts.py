from typing import Protocol

from oneiric import Secret, component


class Mailer(Protocol):
    async def send(self, text: str) -> str: ...


@component("service", "mailer", provider="plain", port="upgraded.parts:Mailer")
class Plain:
    def __init__(self, *, greeting: str = "hello") -> None:
        self.greeting = greeting

    async def send(self, text: str) -> str:
        return f"{self.greeting} {text}"


@component("service", "mailer", provider="paid", stack_level=5, port="upgraded.parts:Mailer")
class Paid:
    def __init__(self, *, token: Secret, retries: int) -> None:
        self.token, self.retries = token, retries

    async def send(self, text: str) -> str:
        return f"paid {text}"


@component("service", "desk", provider="std", needs={"mailer": "service:mailer"})
class Desk:
    def __init__(self, *, mailer: Mailer) -> None:
        self.mailer = mailer

    async def answer(self, text: str) -> str:
        return await self.mailer.send(text)
