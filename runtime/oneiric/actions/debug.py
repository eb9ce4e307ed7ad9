"""The action `debug.console`: a message for who watches a process."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal, NotRequired, Protocol, TypedDict

from oneiric import component
from oneiric.actions import Json
from oneiric.actions._logs import LEVELS, USUAL, Level, log
from oneiric.actions._payload import chosen, payload_of, settings_of
from oneiric.secrecy.redaction import redacted

_KEY: Final = "debug.console"


class Emitted(TypedDict):
    """The record as it was told.

    `status`: `emitted`.
    `message`: without what its shape gives away as secret.
    `level`: the one that was used.
    `prefix`: the one that was used.
    `details`: without what is secret.
    `timestamp`: when it was told, by ISO 8601.
    """

    status: Literal["emitted"]
    message: str
    level: str
    prefix: str
    details: dict[str, Json]
    timestamp: NotRequired[str]


class Console(Protocol):
    """Writes a message to the log, and to stderr for people.

    `message`: what to say.
    `details`: what to say besides.
    `level`: the setting by default.
    `prefix`: what stands before the message on stderr; the setting by default.
    `echo`: whether it is written to stderr as well as to the log; the setting by default.
    `scrub_fields`: names whose values are not told, besides those of the settings.
    `include_timestamp`: whether it says when it was told; the setting by default.
    """

    async def __call__(
        self,
        *,
        message: str = "",
        details: Mapping[str, Json] | None = None,
        level: Level | None = None,
        prefix: str | None = None,
        echo: bool | None = None,
        scrub_fields: list[str] | None = None,
        include_timestamp: bool | None = None,
    ) -> Emitted: ...


@component(
    "action",
    "debug.console",
    provider="builtin-debug-console",
    priority=0,
    stack_level=-10,
    capabilities=("console", "debug", "observe"),
    port="oneiric.actions.debug:Console",
)
class DebugConsole:
    """Writes messages to the log of the process, and to stderr.

    `default_level`: that of messages which name none.
    `include_timestamp`: whether messages say when they were told.
    `prefix`: what stands before a message on stderr.
    `echo`: whether messages are written to stderr as well as to the log.
    `scrub_fields`: names whose values are not told, besides those that suggest a secret; `key` and `secrets` by
    default.
    """

    def __init__(
        self,
        *,
        default_level: Level = "info",
        include_timestamp: bool = True,
        prefix: str = "[debug]",
        echo: bool = True,
        scrub_fields: list[str] | None = None,
    ) -> None:
        checks = settings_of(_KEY, "builtin-debug-console")
        self._level = checks.one_of("default_level", default_level, LEVELS)
        self._prefix = checks.text("prefix", prefix)
        self._scrub = checks.texts("scrub_fields", chosen(scrub_fields, [*USUAL]))
        self._include_timestamp = include_timestamp
        self._echo = echo

    async def __call__(
        self,
        *,
        message: str = "",
        details: Mapping[str, Json] | None = None,
        level: Level | None = None,
        prefix: str | None = None,
        echo: bool | None = None,
        scrub_fields: list[str] | None = None,
        include_timestamp: bool | None = None,
    ) -> Emitted:
        checks = payload_of(_KEY)
        fields = [*self._scrub, *checks.texts("scrub_fields", chosen(scrub_fields, []))]
        used = checks.one_of("level", chosen(level, self._level), LEVELS)
        told: Emitted = {
            "status": "emitted",
            "message": redacted(checks.text("message", message)),
            "level": used,
            "prefix": redacted(checks.text("prefix", chosen(prefix, self._prefix))),
            "details": redacted(checks.mapping("details", chosen(details, {})), fields),
        }
        if checks.boolean("include_timestamp", chosen(include_timestamp, self._include_timestamp)):
            told["timestamp"] = datetime.now(UTC).isoformat()
        echoed = checks.boolean("echo", chosen(echo, self._echo))
        log(used, _KEY, {"message": told["message"], "details": told["details"]})
        if echoed:
            sys.stderr.write(_line(told))
        return told


def _line(told: Emitted) -> str:
    """One line, whatever the message has in it: nobody can make it look like two, or steer a terminal by it."""
    details = json.dumps(told["details"]) if told["details"] else ""
    parts = (told.get("timestamp", ""), told["prefix"], told["message"], details)
    text = " ".join(part for part in parts if part)
    return (text if text.isprintable() else "".join(map(_visible, text))) + "\n"


def _visible(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]
