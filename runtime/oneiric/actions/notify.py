"""The action `workflow.notify`: people told of something, by what the settings say reaches them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Protocol, TypedDict

from oneiric import Application, component
from oneiric.actions import ActionMisconfigured, ActionUnavailable, Json
from oneiric.actions._logs import LEVELS, USUAL, log
from oneiric.actions._payload import chosen, payload_of, settings_of
from oneiric.flows.model import Unserved
from oneiric.secrecy.redaction import redacted

_KEY: Final = "workflow.notify"
_TOPIC = "topic:"


class Notified(TypedDict):
    """Who was told what.

    `status`: `delivered`, or `logged` where the channel leads nowhere but to the log.
    `message`: as given.
    `channel`: as given, else as the settings say.
    `level`: as given, else as the settings say.
    `recipients`: as given, else as the settings say.
    `context`: as given.
    `timestamp`: when it was told, as UTC in ISO 8601.
    `delivered_by`: `topic:NAME` or the call that took it; null where it was only logged.
    """

    status: str
    message: str
    channel: str
    level: str
    recipients: list[str]
    context: dict[str, Json]
    timestamp: str
    delivered_by: str | None


class Notify(Protocol):
    """Tells people of something: through the topic or the call that the settings name for the channel, and in the log.

    `message`: what they are told.
    `channel`: which way they are told; the setting by default.
    `level`: `debug`, `info`, `warning`, `error` or `critical`; the setting by default.
    `recipients`: who is told; the setting by default.
    `context`: what they are told besides.
    """

    async def __call__(
        self,
        *,
        message: str,
        channel: str | None = None,
        level: str | None = None,
        recipients: list[str] | None = None,
        context: Mapping[str, Json] | None = None,
    ) -> Notified: ...


@component(
    "action",
    "workflow.notify",
    provider="builtin-workflow-notify",
    priority=0,
    stack_level=-10,
    capabilities=("notify", "broadcast", "context"),
    needs={"application": "oneiric:runtime"},
    port="oneiric.actions.notify:Notify",
)
class Notifier:
    """Tells people by the topics and calls of the application.

    `channels`: what each channel leads to: `topic:NAME`, or a call as `service:mail#notify`, which is given `message`,
    `channel`, `level`, `recipients` and `context`. One that is not there leads to the log alone.
    `default_channel`: the channel, where a payload does not say.
    `default_level`: the level, where a payload does not say.
    `default_recipients`: who is told, where a payload does not say.
    """

    def __init__(
        self,
        *,
        application: Application,
        channels: dict[str, str] | None = None,
        default_channel: str = "workflow",
        default_level: str = "info",
        default_recipients: list[str] | None = None,
    ) -> None:
        checks = settings_of(_KEY, "builtin-workflow-notify")
        self._application = application
        self._channels = {
            name: checks.text("channels", each, empty=False)
            for name, each in checks.mapping("channels", chosen(channels, {})).items()
        }
        for each in self._channels.values():
            if not all(each.partition(":")):
                raise checks.wrong("channels", "is of `topic:NAME` and `DOMAIN:KEY`, and one of these is neither")
        self._channel = checks.text("default_channel", default_channel, empty=False)
        self._level = checks.one_of("default_level", default_level, LEVELS)
        self._recipients = checks.texts("default_recipients", chosen(default_recipients, []))

    async def __call__(
        self,
        *,
        message: str,
        channel: str | None = None,
        level: str | None = None,
        recipients: list[str] | None = None,
        context: Mapping[str, Json] | None = None,
    ) -> Notified:
        checks = payload_of(_KEY)
        told: dict[str, Json] = {
            "message": checks.text("message", message, empty=False),
            "channel": checks.text("channel", chosen(channel, self._channel), empty=False),
            "level": checks.one_of("level", chosen(level, self._level), LEVELS),
            "recipients": [*checks.texts("recipients", chosen(recipients, self._recipients))],
            "context": checks.mapping("context", chosen(context, {})),
        }
        through = self._channels.get(told["channel"])
        if through is not None:
            await self._deliver(through, checks.mapping("context", told))
        shown = {**told, "message": redacted(told["message"]), "context": redacted(told["context"], USUAL)}
        log(checks.one_of("level", told["level"], LEVELS), _KEY, {**shown, "delivered_by": through})
        return {
            "status": "logged" if through is None else "delivered",
            "message": told["message"],
            "channel": told["channel"],
            "level": told["level"],
            "recipients": told["recipients"],
            "context": told["context"],
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "delivered_by": through,
        }

    async def _deliver(self, through: str, told: dict[str, Json]) -> None:
        try:
            if through.startswith(_TOPIC):
                await self._application.emit(through.removeprefix(_TOPIC), told)
            else:
                await self._application.call(through, told)
        except Unserved as error:
            why = f"the channel {told['channel']} leads to {through}, which the application does not have"
            raise ActionMisconfigured(why, key=_KEY, setting="channels") from error
        except Exception as error:
            why = f"could not deliver through {through}: {type(error).__name__}"
            raise ActionUnavailable(why, key=_KEY) from error
