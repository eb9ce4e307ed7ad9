"""Email provider `memory`: emails go nowhere, and the last ones can be read."""

from __future__ import annotations

from dataclasses import replace

from oneiric import component
from oneiric.adapters._common.network import Faults
from oneiric.adapters._common.remembering import Remembering
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
class MemoryEmails(Remembering[Email]):
    """Sends nothing: what an application runs with that names no server, and what tests look into.

    `sender`: the address of an email that names none.
    `keep`: how many of the last emails `sent` has.
    """

    def __init__(self, *, sender: str = "app@localhost", keep: int = 1000) -> None:
        _FAULTS.check_above_zero(keep=keep)
        self._letters = Letters(_FAULTS, sender)
        self._sender = sender
        super().__init__(keep, EmailClosed)

    async def send(self, email: Email) -> Sent:
        self._check_open()
        self._letters.checked(email)
        return Sent(self._keep(email if email.sender is not None else replace(email, sender=self._sender)))
