from oneiric import component


@component("adapter", "mail", provider="smtp", port='ports.ports:Mail')
class Smtp:
    async def send(self, to: str, *, urgent: bool = False) -> bool:
        return urgent


@component("adapter", "mail", provider="api", port='ports.ports:Mail', priority=2)
class Api:
    async def send(self, to: str, *, urgent: bool = False) -> bool:
        return urgent


@component("adapter", "sms", provider="gateway")
class Gateway:
    async def send(self, to: str, *, urgent: bool = False) -> bool:
        return urgent


@component("adapter", "fax", provider="line")
class Line:
    pass


class Base:
    async def send(self, to: str, *, urgent: bool = False, retries: int = 3) -> bool:
        return urgent


@component("adapter", "pager", provider="inherits", port="ports.ports:Mail")
class Pager(Base):
    pass


@component("adapter", "post", provider="forwards", port="ports.ports:Mail")
class Post:
    async def send(self, *args: object, **kwargs: object) -> bool:
        return True
