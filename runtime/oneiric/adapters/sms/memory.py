"""SMS provider `memory`: texts go nowhere, and the last ones can be read."""

from __future__ import annotations

from collections import deque
from itertools import count

from oneiric import component
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
class MemoryTexts:
    """Sends nothing: what an application runs with that names no service, and what tests look into.

    `keep`: how many of the last texts `sent` has.
    """

    def __init__(self, *, keep: int = 1000) -> None:
        if keep < 1:
            raise SmsMisconfigured(f"{keep} is below 1", provider="memory", setting="keep")
        self._sent: deque[Sms] = deque(maxlen=keep)
        self._ids = count(1)
        self._closed = False

    async def health(self) -> bool:
        return not self._closed

    async def aclose(self) -> None:
        self._closed = True

    @property
    def sent(self) -> list[Sms]:
        """The texts that are kept and their numbers, first the first; after a close as well."""
        return list(self._sent)

    async def send(self, to: str, text: str) -> Accepted:
        if self._closed:
            raise SmsClosed("it is not open", provider="memory")
        self._sent.append(checked_sms(to, text, "memory"))
        return Accepted(str(next(self._ids)))
