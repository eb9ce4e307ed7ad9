import re
import typing
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Interface
from uuid import UUID

from oneiric import component


@component("adapter", "mail", provider="p")
class P:
    def __init__(
        self,
        *,
        price: Decimal,
        prices: list[Decimal],
        large: Decimal,
        key: bytes,
        keys: list[bytes],
        id: UUID,
        host: IPv4Address | IPv6Address,
        hosts: list[IPv4Address | IPv6Address],
        network: IPv4Network,
        interface: IPv6Interface,
        word: re.Pattern[str],
        other: typing.Pattern[str] | None = None,
        asked: dict[str, Decimal] | None = None,
        asked_key: bytes = b"",
        asked_id: UUID | None = None,
        asked_host: IPv4Address | None = None,
        asked_word: re.Pattern[str] | None = None,
    ) -> None: ...
