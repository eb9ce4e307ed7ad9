"""Chat provider `memory`: notices go nowhere, and the last ones can be read."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import count

from oneiric import component
from oneiric.adapters.chat import Accepted, ChatClosed, ChatMisconfigured, Level, Notice, checked_notice


@component(
    "adapter",
    "chat",
    provider="memory",
    priority=0,
    stack_level=-10,
    capabilities=("notifications", "channels"),
    port="oneiric.adapters.chat:Notices",
)
class MemoryNotices:
    """Sends nothing: what an application runs with that names no service, and what tests look into.

    `keep`: how many of the last notices `sent` has.
    """

    def __init__(self, *, keep: int = 1000) -> None:
        if keep < 1:
            raise ChatMisconfigured(f"{keep} is below 1", provider="memory", setting="keep")
        self._sent: deque[Notice] = deque(maxlen=keep)
        self._ids = count(1)
        self._closed = False

    async def health(self) -> bool:
        return not self._closed

    async def aclose(self) -> None:
        self._closed = True

    @property
    def sent(self) -> list[Notice]:
        """The notices that are kept, first the first; after a close as well."""
        return list(self._sent)

    async def send(
        self,
        text: str,
        *,
        title: str = "",
        level: Level = "info",
        channel: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Accepted:
        if self._closed:
            raise ChatClosed("it is not open", provider="memory")
        self._sent.append(checked_notice(text, title, level, channel, fields, "memory"))
        return Accepted(str(next(self._ids)))
