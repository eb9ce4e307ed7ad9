"""Email provider `memory`: emails go nowhere, and the last ones can be read."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import count

from oneiric import component
from oneiric.adapters._common.network import Faults
from oneiric.adapters.email import Email, EmailClosed, EmailMisconfigured, EmailRefused, EmailUnavailable, Sent
from oneiric.adapters.email._letters import Letters

_FAULTS = Faults("memory", EmailUnavailable, EmailRefused, EmailMisconfigured)


@component(
    "adapter",
    "email",
    provider="memory",
    priority=0,
    stack_level=-10,
    capabilities=("notifications", "email"),
    port="oneiric.adapters.email:Emails",
)
class MemoryEmails:
    """Sends nothing: what an application runs with that names no server, and what tests look into.

    `sender`: the address of an email that names none.
    `keep`: how many of the last emails `sent` has.
    """

    def __init__(self, *, sender: str = "app@localhost", keep: int = 1000) -> None:
        _FAULTS.check_above_zero(keep=keep)
        self._letters = Letters(_FAULTS, sender)
        self._sender = sender
        self._sent: deque[Email] = deque(maxlen=keep)
        self._ids = count(1)
        self._closed = False

    async def health(self) -> bool:
        return not self._closed

    async def aclose(self) -> None:
        self._closed = True

    @property
    def sent(self) -> list[Email]:
        """The emails that are kept, with their senders, first the first; after a close as well."""
        return list(self._sent)

    async def send(self, email: Email) -> Sent:
        if self._closed:
            raise EmailClosed("it is not open", provider="memory")
        self._letters.checked(email)
        self._sent.append(email if email.sender is not None else replace(email, sender=self._sender))
        return Sent(str(next(self._ids)))
