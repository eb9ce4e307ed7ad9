"""Chat provider `slack`: by the Web API and the token of a bot, or by an incoming webhook."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from oneiric import Secret, component
from oneiric.adapters._common.api import Answer, Api, Deadline, check_header, error_by_status
from oneiric.adapters._common.asking import Asking
from oneiric.adapters._common.network import Faults
from oneiric.adapters.chat import (
    Accepted,
    ChatClosed,
    ChatMisconfigured,
    ChatRefused,
    ChatUnavailable,
    InvalidNotice,
    Level,
    Notice,
    TooLong,
    UnknownChannel,
    checked_notice,
)
from oneiric.adapters.chat._hook import KINDS, Hook, Limits
from oneiric.errors import AdapterError

_PROVIDER = "slack"
_FAULTS = Faults(_PROVIDER, ChatUnavailable, ChatRefused, ChatMisconfigured)
_SIGNS: Mapping[Level, str] = {"info": "", "warning": "\N{WARNING SIGN} ", "error": "\N{OCTAGONAL SIGN} "}
_CHANNEL = {
    "channel_is_archived",
    "channel_not_found",
    "is_archived",
    "not_in_channel",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_only_channel",
    "user_not_found",
}
_LENGTH = {"msg_blocks_too_long", "msg_too_long"}
_NOTICE = {"invalid_arguments", "invalid_blocks", "invalid_blocks_format", "invalid_payload", "no_text"}
_PASSING = {"fatal_error", "internal_error", "request_timeout", "rollup_error", "service_unavailable"}


@component(
    "adapter",
    "chat",
    provider="slack",
    priority=0,
    stack_level=-20,
    capabilities=("notifications", "chatops", "channels"),
    port="oneiric.adapters.chat:Notices",
)
class SlackNotices:
    """Posts messages of blocks: by `chat.postMessage` with a `token`, or to an incoming webhook with a `webhook_url`.

    Needs an app of Slack: the token of its bot, with the scope `chat:write`, or an incoming webhook.

    `token`: the bot's token, `xoxb-…`.
    `channel`: with a token: the id or name of the channel of a notice that names none.
    `webhook_url`: instead of a token: the webhook's URL, which anybody may post to who has it; it has its own channel.
    `base_url`: where the Web API is.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for one call, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        token: Secret | None = None,
        channel: str | None = None,
        webhook_url: Secret | None = None,
        base_url: str = "https://slack.com/api",
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 10,
    ) -> None:
        limits = Limits(timeout, healthcheck_timeout, max_connections)
        self._by: _Bot | _Incoming
        if webhook_url is None:
            self._by = _Bot(token, channel, base_url, ca_file, limits)
        elif token is not None:
            raise _FAULTS.no_sense("and token exclude each other", "webhook_url")
        elif channel is not None:
            raise _FAULTS.no_sense("is of no use to a webhook, which has its own", "channel")
        else:
            self._by = _Incoming(_FAULTS, webhook_url, ca_file, limits)

    async def start(self) -> None:
        await self._by.start()

    async def health(self) -> bool:
        return await self._by.health()

    async def aclose(self) -> None:
        await self._by.aclose()

    async def send(
        self,
        text: str,
        *,
        title: str = "",
        level: Level = "info",
        channel: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Accepted:
        return await self._by.send(checked_notice(text, title, level, channel, fields, _PROVIDER))


class _Incoming(Hook):
    async def send(self, notice: Notice) -> Accepted:
        if notice.channel is not None:
            raise InvalidNotice("a webhook posts to its own channel: no other can be named", provider=_PROVIDER)
        answer = await self.post(_message(notice))
        if answer.status != 200:
            raise _error(answer, answer.body[:64].decode(errors="replace").strip(), "webhook_url")
        return Accepted("")  # all it says is `ok`


class _Bot(Asking[Api]):
    def __init__(
        self, token: Secret | None, channel: str | None, base_url: str, ca_file: Path | None, limits: Limits
    ) -> None:
        _FAULTS.check_above_zero(timeout=limits.timeout, healthcheck_timeout=limits.healthcheck_timeout)
        _FAULTS.check_text(channel=channel)
        if token is None:
            raise _FAULTS.no_sense("is missing, and so is webhook_url", "token")
        check_header(_FAULTS, token, "token")
        self._api = Api(
            _FAULTS,
            ChatClosed,
            base_url=base_url,
            key=token,
            ca_file=ca_file,
            max_connections=limits.max_connections,
            quiet=True,
        )
        self._channel = channel
        self._limits = limits

    async def send(self, notice: Notice) -> Accepted:
        channel = notice.channel or self._channel
        if channel is None:
            raise InvalidNotice("the notice names no channel, and the settings have none", provider=_PROVIDER)
        told = await self._ask("chat.postMessage", {"channel": channel, **_message(notice)}, self._limits.timeout)
        return Accepted(f"{told.get('channel', channel)}/{told.get('ts', '')}")

    async def _ask_health(self) -> None:
        await self._ask("auth.test", {}, self._limits.healthcheck_timeout)

    async def _ask(self, method: str, body: object, seconds: float) -> dict[str, Any]:
        answer = await self._api.ask("POST", f"/{method}", body, deadline=Deadline.within(seconds))
        match answer.status, answer.json():
            case 200, {"ok": True, **told}:
                return cast("dict[str, Any]", told)
            case _, {"ok": False, "error": str(code)}:
                raise _error(answer, code, "token")
            case _:
                raise _error(answer, "", "token")


def _error(answer: Answer, code: str, setting: str) -> AdapterError:
    """What a code of Slack's, or else a status, says went wrong; `code` is shown only if it is one."""
    what = f"Slack says {code}"
    if answer.status == 429 or code in ("ratelimited", "rate_limited"):
        return error_by_status(_FAULTS, KINDS, answer._replace(status=429), setting)
    if code in _CHANNEL:
        return UnknownChannel(what, provider=_PROVIDER, setting="channel" if setting == "token" else setting)
    if code in _LENGTH:
        return TooLong(what, provider=_PROVIDER)
    if code in _NOTICE:
        return InvalidNotice(what, provider=_PROVIDER)
    if code in _PASSING:
        return ChatUnavailable(what, provider=_PROVIDER, setting=setting)
    if answer.status == 200 and code:
        shown = what if re.fullmatch(r"[a-z_]{1,64}", code) else "Slack refuses"
        return ChatRefused(shown, provider=_PROVIDER, setting=setting)
    return error_by_status(_FAULTS, KINDS, answer, setting)


def _message(notice: Notice) -> dict[str, Any]:
    """Blocks of plain texts, and a text for where blocks are not shown, in which nothing is markup."""
    sign = _SIGNS[notice.level]
    blocks: list[dict[str, Any]] = []
    if notice.title:
        blocks.append({"type": "header", "text": _plain(sign + notice.title)})
        sign = ""
    blocks.append({"type": "section", "text": _plain(sign + notice.text)})
    if notice.fields:
        shown = [_plain(f"{name}\n{value}") for name, value in notice.fields.items()]
        blocks.append({"type": "section", "fields": shown})
    short = f"{_SIGNS[notice.level]}{notice.title or notice.text}"
    for mark, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        short = short.replace(mark, escaped)
    return {"text": short, "blocks": blocks}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}
