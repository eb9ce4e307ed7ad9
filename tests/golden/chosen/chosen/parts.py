from oneiric import component


@component("service", "mail", provider="smtp")
class Smtp:
    async def send(self, to: str) -> None: ...


@component("service", "mail", provider="outbox")
class Outbox:
    async def send(self, to: str) -> None: ...


@component("service", "search", provider="index")
class Index:
    async def find(self, words: str) -> list[str]:
        return []


@component("service", "search", provider="cloud")
class Cloud:
    async def find(self, words: str) -> list[str]:
        return []


@component("offered", "price-list", provider="printed")
class Printed: ...


class Push: ...


def hello() -> str:
    return "hello"


async def paid() -> int:
    return 1
