"""The port `identity`: who a signed token speaks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from oneiric import Secret
from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Reason: TypeAlias = Literal[
    "malformed", "type", "critical", "algorithm", "key", "signature", "claims", "issuer", "audience", "expired", "early"
]
"""What is wrong with a token; see `REASONS`."""

REASONS: Mapping[Reason, str] = {
    "malformed": "it is not a signed JWT",
    "type": "its header says that it is for something else",
    "critical": "its header has extensions that must be understood",
    "algorithm": "it is signed by an algorithm that is not allowed",
    "key": "it is signed by a key that the issuer does not have",
    "signature": "its signature is wrong",
    "claims": "a claim is missing, or of the wrong type",
    "issuer": "it is of another issuer",
    "audience": "it is for another audience",
    "expired": "it has expired",
    "early": "it is not valid yet",
}
MAX_TOKEN = 16 * 1024
"""Characters of a token at most."""
MAX_DEPTH = 32
"""How deep the lists and objects of its claims may be."""


class IdentityError(AdapterError):
    """Anything an identity adapter raises. It shows nothing of a token."""

    key = "identity"


class IdentityClosed(IdentityError, Closed):
    """It was closed, or not started yet."""


class IdentityUnavailable(IdentityError, Unavailable):
    """The issuer's keys cannot be read, or not in time, and none are kept that are not too old."""


class IdentityRefused(IdentityError, Refused):
    """The issuer does not let its keys be read, or its certificate is not trusted."""


class IdentityMisconfigured(IdentityError, Misconfigured, ValueError):
    """Settings that are malformed, contradict each other or do not fit the issuer; `setting` is one of them."""


class InvalidToken(IdentityError, ValueError):
    """The token speaks for nobody. `reason` says why, for logs; who sent it need not know."""

    def __init__(self, reason: Reason, *, provider: str | None = None) -> None:
        self.reason: Reason = reason
        super().__init__(f"the token is not accepted: {REASONS[reason]}", provider=provider)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token speaks for. `claims` are all that it has; they are not shown, and not for logs."""

    subject: str = field(repr=False)
    issuer: str
    audience: tuple[str, ...]
    expires: datetime
    scopes: frozenset[str]
    claims: Mapping[str, Json] = field(repr=False, hash=False)


class Identities(Protocol):
    """Tells who a token speaks for."""

    async def verify(self, token: str | Secret) -> Identity:
        """Check a signed JWT: signature, issuer, audience and times.

        Raises `InvalidToken`, `IdentityUnavailable`, `IdentityRefused`, `IdentityClosed`.
        """
        ...
