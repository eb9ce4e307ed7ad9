"""SMS provider `memory`: texts go nowhere, and the last ones can be read."""

from __future__ import annotations

from oneiric import component
from oneiric.adapters._common.remembering import Remembering
from oneiric.adapters.sms import Accepted, Sms, SmsClosed, SmsMisconfigured, checked_sms


@component(
    "adapter",
    "sms",
    provider="memory",
    priority=0,
    stack_level=-10,
    capabilities=("notifications", "sms"),
    port="oneiric.adapters.sms:Texts",
)
class MemoryTexts(Remembering[Sms]):
    """Sends nothing: what an application runs with that names no service, and what tests look into.

    `keep`: how many of the last texts `sent` has.
    """

    def __init__(self, *, keep: int = 1000) -> None:
        if keep < 1:
            raise SmsMisconfigured(f"{keep} is below 1", provider="memory", setting="keep")
        super().__init__(keep, SmsClosed)

    async def send(self, to: str, text: str) -> Accepted:
        self._check_open()
        return Accepted(self._keep(checked_sms(to, text, "memory")))
