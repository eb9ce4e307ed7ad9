"""Chat provider `memory`: notices go nowhere, and the last ones can be read."""

from __future__ import annotations

from collections.abc import Mapping

from oneiric import component
from oneiric.adapters._common.remembering import Remembering
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
class MemoryNotices(Remembering[Notice]):
    """Sends nothing: what an application runs with that names no service, and what tests look into.

    `keep`: how many of the last notices `sent` has.
    """

    def __init__(self, *, keep: int = 1000) -> None:
        if keep < 1:
            raise ChatMisconfigured(f"{keep} is below 1", provider="memory", setting="keep")
        super().__init__(keep, ChatClosed)

    async def send(
        self,
        text: str,
        *,
        title: str = "",
        level: Level = "info",
        channel: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Accepted:
        self._check_open()
        return Accepted(self._keep(checked_notice(text, title, level, channel, fields, "memory")))
