"""Chat provider `webhook`: notices as JSON to a URL, signed where a secret is set."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import msgspec

from oneiric import Secret, component
from oneiric.adapters._common.api import check_header
from oneiric.adapters._common.network import Faults
from oneiric.adapters.chat import (
    Accepted,
    ChatMisconfigured,
    ChatRefused,
    ChatUnavailable,
    Level,
    checked_notice,
)
from oneiric.adapters.chat._hook import Hook, Limits
from oneiric.webhooks import headers_of, key_of

_PROVIDER = "webhook"
_FAULTS = Faults(_PROVIDER, ChatUnavailable, ChatRefused, ChatMisconfigured)


@component(
    "adapter",
    "chat",
    provider="webhook",
    priority=0,
    stack_level=-20,
    capabilities=("notifications", "channels"),
    port="oneiric.adapters.chat:Notices",
)
class WebhookNotices(Hook):
    """Posts a JSON object with `id`, `text`, `title`, `level`, `channel` and `fields`.

    Needs a server that takes it, and answers with a status of 200 to 299.

    `webhook_url`: where notices are posted to.
    `token`: sent along as `Authorization: Bearer …`.
    `signing_secret`: what requests are signed with, as Standard Webhooks has it: base64, after `whsec_` or without it.
    `channel`: the one of a notice that names none.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for one call, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        webhook_url: Secret,
        token: Secret | None = None,
        signing_secret: Secret | None = None,
        channel: str | None = None,
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 10,
    ) -> None:
        if signing_secret is not None and key_of(signing_secret.reveal()) is None:
            raise _FAULTS.no_sense("is not base64, after `whsec_` or without it", "signing_secret")
        if token is not None:
            check_header(_FAULTS, token, "token")
        _FAULTS.check_text(channel=channel)
        super().__init__(_FAULTS, webhook_url, ca_file, Limits(timeout, healthcheck_timeout, max_connections))
        self._token = token
        self._signing_secret = signing_secret
        self._channel = channel

    async def send(
        self,
        text: str,
        *,
        title: str = "",
        level: Level = "info",
        channel: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Accepted:
        channel = self._channel if channel is None else channel
        notice = checked_notice(text, title, level, channel, fields, _PROVIDER)
        id = f"msg_{uuid4().hex}"
        told = {"text": notice.text, "title": notice.title, "level": level, "channel": channel}
        body = msgspec.json.encode({"id": id, **told, "fields": dict(notice.fields)})
        answer = await self.post(body, self._headers(id, body))
        if not 200 <= answer.status < 300:
            raise self.error(answer)
        return Accepted(id)

    def _headers(self, id: str, body: bytes) -> dict[str, str]:
        headers = {"content-type": "application/json"}
        if self._token is not None:
            headers["authorization"] = f"Bearer {self._token.reveal()}"
        if self._signing_secret is not None and (key := key_of(self._signing_secret.reveal())) is not None:
            headers |= headers_of(body, key, id, int(time.time()))
        return headers
