"""Chat provider `teams`: Microsoft Teams, by the webhook of a flow of Power Automate (Workflows)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oneiric import Secret, component
from oneiric.adapters._common.network import Faults
from oneiric.adapters.chat import (
    Accepted,
    ChatMisconfigured,
    ChatRefused,
    ChatUnavailable,
    InvalidNotice,
    Level,
    Notice,
    checked_notice,
)
from oneiric.adapters.chat._hook import Hook, Limits

_PROVIDER = "teams"
_FAULTS = Faults(_PROVIDER, ChatUnavailable, ChatRefused, ChatMisconfigured)
_COLORS: Mapping[Level, str] = {"info": "Default", "warning": "Warning", "error": "Attention"}


@component(
    "adapter",
    "chat",
    provider="teams",
    priority=0,
    stack_level=-20,
    capabilities=("notifications", "chatops"),
    port="oneiric.adapters.chat:Notices",
)
class TeamsNotices(Hook):
    """Posts an Adaptive Card to a flow of Power Automate, which posts it to its channel or chat.

    Needs a flow of Workflows that begins with "When a Teams webhook request is received".

    `webhook_url`: the flow's URL, which anybody may post to who has it.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for one call, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        webhook_url: Secret,
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 10,
    ) -> None:
        super().__init__(_FAULTS, webhook_url, ca_file, Limits(timeout, healthcheck_timeout, max_connections))

    async def send(
        self,
        text: str,
        *,
        title: str = "",
        level: Level = "info",
        channel: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Accepted:
        notice = checked_notice(text, title, level, channel, fields, _PROVIDER)
        if channel is not None:
            raise InvalidNotice("a flow posts to its own channel: no other can be named", provider=_PROVIDER)
        answer = await self.post(_message(notice))
        match answer.status, answer.json():
            case ((200 | 202), _):
                return Accepted(answer.headers.get("x-ms-workflow-run-id", ""))
            case ((400 | 404), {"error": {"code": str(code)}}) if code.startswith("Workflow"):
                raise _FAULTS.no_entry("the flow is turned off or gone", "webhook_url")
            case _:
                raise self.error(answer)


def _message(notice: Notice) -> dict[str, Any]:
    """A card; only the runs of a rich text are plain, other texts of cards are Markdown."""
    color = _COLORS[notice.level]
    body = [_block(_run(notice.title, weight="Bolder", size="Medium", color=color))] if notice.title else []
    body.append(_block(_run(notice.text) if notice.title else _run(notice.text, color=color)))
    body += [_block(_run(f"{name}: ", weight="Bolder"), _run(value)) for name, value in notice.fields.items()]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _block(*runs: dict[str, str]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **style: str) -> dict[str, str]:
    return {"type": "TextRun", "text": text, **style}
