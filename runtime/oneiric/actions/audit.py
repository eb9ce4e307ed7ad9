"""The action `workflow.audit`: what somebody may want to look up later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal, NotRequired, Protocol, TypedDict

from oneiric import component
from oneiric.actions import Json
from oneiric.actions._logs import USUAL, log
from oneiric.actions._payload import chosen, payload_of, settings_of
from oneiric.secrecy.redaction import redacted

_KEY: Final = "workflow.audit"


class Recorded(TypedDict):
    """The record as it was written.

    `status`: `recorded`.
    `event`: what happened.
    `channel`: where it belongs.
    `details`: without what is secret.
    `timestamp`: when it was written, by ISO 8601.
    """

    status: Literal["recorded"]
    event: str
    channel: str
    details: dict[str, Json]
    timestamp: NotRequired[str]


class Audit(Protocol):
    """Writes a record of what happened to the log.

    `event`: what happened; the setting by default.
    `details`: what belongs to it.
    `channel`: where it belongs; the setting by default.
    `redact_fields`: names whose values are not written, besides those of the settings.
    `include_timestamp`: whether the record says when it was written; the setting by default.
    """

    async def __call__(
        self,
        *,
        event: str | None = None,
        details: Mapping[str, Json] | None = None,
        channel: str | None = None,
        redact_fields: list[str] | None = None,
        include_timestamp: bool | None = None,
    ) -> Recorded: ...


@component(
    "action",
    "workflow.audit",
    provider="builtin-workflow-audit",
    priority=0,
    stack_level=-10,
    capabilities=("audit-log", "redact"),
    port="oneiric.actions.audit:Audit",
)
class Auditing:
    """Writes records to the log of the process.

    `channel`: where records belong that do not say.
    `include_timestamp`: whether records say when they were written.
    `default_event`: what happened, where a payload does not say.
    `redact_fields`: names whose values are not written, besides those that suggest a secret; `key` and `secrets` by
    default.
    """

    def __init__(
        self,
        *,
        channel: str = "workflow",
        include_timestamp: bool = True,
        default_event: str = "workflow.audit",
        redact_fields: list[str] | None = None,
    ) -> None:
        checks = settings_of(_KEY, "builtin-workflow-audit")
        self._channel = checks.text("channel", channel, empty=False)
        self._event = checks.text("default_event", default_event, empty=False)
        self._redact = checks.texts("redact_fields", chosen(redact_fields, [*USUAL]))
        self._include_timestamp = include_timestamp

    async def __call__(
        self,
        *,
        event: str | None = None,
        details: Mapping[str, Json] | None = None,
        channel: str | None = None,
        redact_fields: list[str] | None = None,
        include_timestamp: bool | None = None,
    ) -> Recorded:
        checks = payload_of(_KEY)
        fields = [*self._redact, *checks.texts("redact_fields", chosen(redact_fields, []))]
        record: Recorded = {
            "status": "recorded",
            "event": redacted(checks.text("event", chosen(event, self._event), empty=False)),
            "channel": redacted(checks.text("channel", chosen(channel, self._channel), empty=False)),
            "details": redacted(checks.mapping("details", chosen(details, {})), fields),
        }
        if checks.boolean("include_timestamp", chosen(include_timestamp, self._include_timestamp)):
            record["timestamp"] = datetime.now(UTC).isoformat()
        log("info", _KEY, {"audit_event": record["event"], "channel": record["channel"], "details": record["details"]})
        return record
