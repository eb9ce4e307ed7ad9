from typing import Protocol

from oneiric import component


class Mail(Protocol):
    async def send(self, to: str) -> None: ...


@component("adapter", "mail", provider="smtp")
class Smtp:
    async def send(self, to: str) -> None: ...


@component("adapter", "clock", provider="utc")
class Clock:
    pass


class AcmeMail:
    async def send(self, to: str) -> None: ...


async def acme_mail(*, hosts: dict[str, str], clock: Clock) -> AcmeMail:
    return AcmeMail()
