"""The port `dns`: the records of one zone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

RecordType: TypeAlias = Literal["A", "AAAA", "CNAME", "TXT", "MX", "SRV", "CAA", "NS"]
TYPES: tuple[RecordType, ...] = ("A", "AAAA", "CNAME", "TXT", "MX", "SRV", "CAA", "NS")
MAX_TTL = 2**31 - 1
"""Seconds, at most: RFC 2181, section 8."""


class DnsError(AdapterError):
    """Anything the port `dns` raises."""

    key = "dns"


class DnsClosed(DnsError, Closed):
    """It was closed, or not started yet."""


class DnsUnavailable(DnsError, Unavailable):
    """The server does not answer, or not in time. A change that was under way may have happened or not."""


class DnsRefused(DnsError, Refused):
    """The server turns the credentials away, or does not let them read or change the zone."""


class DnsMisconfigured(DnsError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class InvalidRecord(DnsError, ValueError):
    """This cannot be a record of the zone: its name, type, values or TTL."""


class RecordConflict(DnsError):
    """The records are not those that `if_is` says. Nothing was changed."""


class NameTaken(DnsError):
    """A CNAME cannot stand beside records of other types (RFC 1034, section 3.6.2). Nothing was changed."""


class DnsUnsupported(DnsError):
    """This provider lacks the `capability` that the call takes: settings choose one that has it by `requires`."""

    def __init__(self, capability: str, *, provider: str | None = None) -> None:
        self.capability = capability
        what = f"it lacks the capability `{capability}`: `requires: {{dns: [{capability}]}}` selects one that has it"
        super().__init__(what, provider=provider)


@dataclass(frozen=True, slots=True)
class RecordSet:
    """All records of a name and type.

    Names are whole, with a dot at their end or without; those that are read are in lower case and without. A first
    label `*` stands for itself. `values` are as in a file of the zone, `10 mail.example.org` of an MX; a TXT is its
    text, unquoted and of any length. `ttl` is in seconds, at least 1.
    """

    name: str
    type: RecordType
    values: frozenset[str]
    ttl: int


class Dns(Protocol):
    """Reads and changes the records of one zone, each set of a name and type as a whole."""

    async def get(self, name: str, type: RecordType) -> RecordSet | None:
        """The records that the zone has of this name itself, not by a wildcard; None where there are none."""
        ...

    def list(self) -> AsyncIterator[RecordSet]:
        """All records of the zone that have a type of `RecordType`, in no order."""
        ...

    async def put(self, record: RecordSet, *, if_is: RecordSet | Literal["any"] | None = "any") -> None:
        """Let these be the records of their name and type, instead of those there are.

        With `if_is` only where there are none (None), or those of that record set, whose TTL does not matter:
        `RecordConflict`; that is the capability `compare`. Raises `NameTaken`, `InvalidRecord`, `DnsUnsupported`.
        """
        ...

    async def delete(self, name: str, type: RecordType) -> bool:
        """Remove all records of the name and type; False where there were none."""
        ...
