"""debug.console and workflow.audit: what they tell has no secret in it, wherever it stands, and is one line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from oneiric.actions import ActionMisconfigured
from oneiric.actions.audit import Auditing
from oneiric.actions.debug import DebugConsole
from oneiric.secrecy.redaction import redacted
from oneiric.testing.contracts import ActionContract, started

from tests.unit.actions.payloads import HOSTILE, JSON, refused

SECRET = "hunter2hunter2"
HIDING = st.sampled_from(
    [
        "password",
        "Password",
        "PASSWORD",
        "user_password",
        "dbPassword",
        "api_key",
        "API-Key",
        "apiKey",
        "secret",
        "token",
        "Authorization",
        "access_token",
        "client-secret",
        "passphrase",
        "key",
        "KEY",
        "secrets",
        "mine",
        "Mine",
        "MINE",
        "m_ine",
    ]
)
SHAPES = [
    f"postgres://user:{SECRET}@host/db",
    f"Bearer {SECRET}",
    f"password={SECRET}",
    f'{{"api_key": "{SECRET}"}}',
    f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----",
    f"https://host/?access_token={SECRET}&a=1",
]


class TestConsole(ActionContract):
    pure = True

    def fresh(self) -> AbstractAsyncContextManager[Any]:
        return started(DebugConsole(include_timestamp=False))

    def payloads(self) -> list[dict[str, Any]]:
        return [{}, {"message": "hello\n", "details": {"password": {"a": 1}}, "level": "error", "echo": False}]

    def refused(self) -> list[dict[str, Any]]:
        return [
            {"message": 1},
            {"level": "fatal"},
            {"details": []},
            {"details": {"a": float("nan")}},
            {"echo": 1},
            {"prefix": None, "scrub_fields": 1},
            {"include_timestamp": "no"},
        ]


class TestAuditing(ActionContract):
    pure = True

    def fresh(self) -> AbstractAsyncContextManager[Any]:
        return started(Auditing(include_timestamp=False, redact_fields=["mine"]))

    def payloads(self) -> list[dict[str, Any]]:
        return [{}, {"event": "order.placed", "details": {"token": "t", "items": [{"Mine": 1}]}, "channel": "shop"}]

    def refused(self) -> list[dict[str, Any]]:
        return [{"event": ""}, {"event": 1}, {"details": "x"}, {"channel": ""}, {"redact_fields": [1]}]


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@given(
    hidden=HIDING,
    above=st.lists(st.sampled_from(["list", "a", "b.c", "keys", "token_count"]), max_size=5),
    beside=st.dictionaries(st.sampled_from(["a", "b"]), JSON, max_size=2),
    value=st.sampled_from([SECRET, [SECRET], {"a": SECRET}, [{"b": [SECRET]}]]),
)
def test_no_name_that_hides_gets_its_value_through_at_any_depth(
    hidden: str, above: list[str], beside: dict[str, Any], value: Any
) -> None:
    details: Any = {**beside, hidden: value}
    for name in above:
        details = [details, 1] if name == "list" else {name: details}
    told = redacted({"details": details}, ["mine", "key", "secrets"])
    assert SECRET not in json.dumps(told)
    assert redacted(told, ["mine", "key", "secrets"]) == told, "what is redacted stays as it is"


@pytest.mark.parametrize("text", SHAPES)
def test_a_text_that_gives_a_secret_away_is_told_without(text: str) -> None:
    told = redacted({"a": [text, text if text.startswith("Bearer") else f"before {text} after"]})
    assert SECRET not in json.dumps(told) and "***" in json.dumps(told)


def test_what_is_about_a_secret_is_told() -> None:
    plain = {
        "token_count": 3,
        "password_file": "/run/x",
        "monkey": "b",
        "keys": [1],
        "url": "https://host/a?b=c",
        "n": None,
    }
    assert redacted(plain, ["key"]) == plain


def test_the_console_writes_one_line_to_stderr_and_nothing_to_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        told = await DebugConsole()(message="a\nb\x1b[31m \u202e é", details={"Password": SECRET, "n": 1}, prefix="[x]")
        assert told["details"] == {"Password": "***", "n": 1}
        assert (told["status"], told["level"], told["message"]) == ("emitted", "info", "a\nb\x1b[31m \u202e é")
        assert datetime.fromisoformat(told["timestamp"]).tzinfo is not None

    asyncio.run(story())
    out, err = capfd.readouterr()
    assert out == ""
    (line,) = [line for line in err.splitlines() if "[x]" in line]
    assert line.endswith(r"""[x] a\nb\x1b[31m \u202e é {"Password": "***", "n": 1}""")
    assert "debug.console" in err and SECRET not in err


def test_what_is_not_echoed_is_in_the_log_alone(capfd: pytest.CaptureFixture[str]) -> None:
    with structlog.testing.capture_logs() as logs:
        asyncio.run(
            DebugConsole(echo=False, default_level="warning")(
                message=f"Bearer {SECRET}", scrub_fields=["n"], details={"N": 1}
            )
        )
    assert logs == [
        {"event": "debug.console", "log_level": "warning", "message": "Bearer ***", "details": {"N": "***"}}
    ]
    assert capfd.readouterr() == ("", "")


def test_an_audit_is_an_event_of_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        told = await Auditing()(event="paid", details={"api_key": SECRET, "rows": [[{"Key": SECRET}]], "Total": 3})
        assert told["details"] == {"api_key": "***", "rows": [[{"Key": "***"}]], "Total": 3}
        assert (told["status"], told["event"], told["channel"]) == ("recorded", "paid", "workflow")
        other = await Auditing(channel="c", default_event="e", include_timestamp=False)(
            redact_fields=["total"], details={"Total": 3}
        )
        assert other == {"status": "recorded", "event": "e", "channel": "c", "details": {"Total": "***"}}

    with structlog.testing.capture_logs() as logs:
        asyncio.run(story())
    assert logs[0] == {
        "event": "workflow.audit",
        "log_level": "info",
        "audit_event": "paid",
        "channel": "workflow",
        "details": {"api_key": "***", "rows": [[{"Key": "***"}]], "Total": 3},
    }
    structlog.reset_defaults()
    asyncio.run(Auditing()(event="to stderr"))
    out, err = capfd.readouterr()
    assert out == "" and "to stderr" in err


def test_settings_are_checked_when_it_is_made() -> None:
    for kind, settings in (
        (DebugConsole, {"default_level": "fatal"}),
        (DebugConsole, {"scrub_fields": [1]}),
        (Auditing, {"channel": ""}),
        (Auditing, {"redact_fields": {"a": 1}}),
    ):
        with pytest.raises(ActionMisconfigured):
            kind(**settings)  # type: ignore[operator]
    for hostile in HOSTILE:
        refused("message", lambda hostile=hostile: asyncio.run(DebugConsole()(message=hostile)))
        refused("event", lambda hostile=hostile: asyncio.run(Auditing()(event=hostile)))
