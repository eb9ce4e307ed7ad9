"""Who sent an order that came as a message."""

from __future__ import annotations

from oneiric import component
from oneiric.adapters.identity import Identities, InvalidToken

from shop.ports import OrderRefused


@component("service", "customers", provider="named", port="shop.ports:Customers")
class Named:
    """Believes what it is told, which is enough where nobody else can send."""

    async def who(self, said: str) -> str:
        return said


@component(
    "service", "customers", provider="tokens", needs={"identity": "adapter:identity"}, port="shop.ports:Customers"
)
class Tokens:
    """Whom the issuer of the token names."""

    def __init__(self, *, identity: Identities) -> None:
        self._identity = identity

    async def who(self, said: str) -> str:
        try:
            return (await self._identity.verify(said)).subject
        except InvalidToken as error:
            raise OrderRefused(f"the token of the customer is refused: {error.reason}") from None
