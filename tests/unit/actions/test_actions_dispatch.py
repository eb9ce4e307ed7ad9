"""event.dispatch: delivered to real hooks, signed, again where they do not answer, each by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from oneiric import Secret
from oneiric.actions import ActionMisconfigured, InvalidPayload
from oneiric.actions.dispatch import EventDispatch
from oneiric.actions.signature import verify_webhook
from oneiric.testing.contracts import ActionContract

from tests.unit.actions.payloads import HOSTILE
from tests.unit.actions.serving import SECRET, Server, asking


class TestDispatch(ActionContract):
    @asynccontextmanager
    async def fresh(self) -> AsyncGenerator[Any]:
        async with asking(EventDispatch, retry_delay=0) as (action, _):
            yield action

    def payloads(self) -> list[dict[str, Any]]:
        return [
            {},
            {"topic": "a", "payload": {"x": [1]}, "metadata": {"y": {}}, "hooks": [{"url": "a", "secret": SECRET}]},
            {"hooks": [{"url": "a", "enabled": False}, {"url": "status/404", "name": "b"}], "event_id": "e1"},
            {"hooks": [{"url": "a"}], "dry_run": True},
        ]

    def refused(self) -> list[dict[str, Any]]:
        return [
            {"topic": ""},
            {"metadata": []},
            {"hooks": {}},
            {"hooks": [{}]},
            {"hooks": [1]},
            {"hooks": [{"url": "a"}] * 11},
            {"hooks": [{"url": "a", "method": "GET"}]},
            {"hooks": [{"url": "a", "secret": "é"}]},
            {"hooks": [{"url": "a", "headers": {"a": "\n"}}]},
            {"hooks": [{"url": "a", "timeout_seconds": 0}]},
            {"hooks": [{"url": "a", "enabled": 1}]},
            {"hooks": [{"url": "a", "retry": 1}]},
            {"event_id": "a.b"},
            {"event_id": "a\r\nb"},
            {"dry_run": "no"},
        ]


def dispatched(story: Callable[[Any, Server], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        async with asking(EventDispatch, **{"retry_delay": 0, **settings}) as (action, server):
            await story(action, server)

    asyncio.run(run())


def hooks(*urls: str, **more: Any) -> list[dict[str, Any]]:
    return [{"url": url, "name": url, **more} for url in urls]


def test_an_event_is_really_delivered_and_signed_by_the_secret_of_each_hook() -> None:
    async def story(action: Any, server: Server) -> None:
        found = await action(topic="order.placed", payload={"id": 7}, event_id="e1", hooks=hooks("a", secret=SECRET))
        ((method, path, headers, body),) = server.asked
        assert (method, path) == ("POST", "/a")
        assert json.loads(body) == found["event"]
        assert found["event"]["payload"] == {"id": 7}
        assert verify_webhook(body, headers, SECRET)
        assert not verify_webhook(body + b" ", headers, SECRET)
        assert headers["webhook-id"] == "e1"
        assert SECRET.removeprefix("whsec_") not in f"{headers}{body!r}{found}"
        assert (found["status"], found["delivered"], found["failed"], found["skipped"]) == ("delivered", 1, 0, 0)
        assert found["hooks"][0]["status_code"] == 200

    dispatched(story)


def test_the_official_library_takes_the_signature() -> None:
    webhooks = pytest.importorskip("standardwebhooks")

    async def story(action: Any, server: Server) -> None:
        await action(payload={"id": 7}, hooks=hooks("a"))
        headers, body = server.asked[0][2:]
        assert webhooks.Webhook(SECRET).verify(body.decode(), {name.lower(): each for name, each in headers.items()})

    dispatched(story, secret=Secret(SECRET))


def test_each_hook_is_answered_for_by_itself() -> None:
    async def story(action: Any, server: Server) -> None:
        urls = hooks("a", "status/404", "then/503", "hang", "large", "http://127.0.0.1:1/")
        found = await action(hooks=[*urls, {"url": "b", "enabled": False}])
        told = {each["name"]: (each["status"], each["status_code"], each["attempts"]) for each in found["hooks"]}
        assert told == {
            "a": ("delivered", 200, 1),
            "status/404": ("failed", 404, 1),
            "then/503": ("delivered", 200, 2),
            "hang": ("failed", None, 2),
            "large": ("delivered", 200, 1),
            "http://127.0.0.1:1/": ("failed", None, 2),
            "hook6": ("skipped", None, 0),
        }
        assert (found["status"], found["delivered"], found["failed"], found["skipped"]) == ("partial", 3, 3, 1)
        assert found["hooks"][1]["error"] == "got the status 404"
        assert all((each["error"] is None) == (each["status"] != "failed") for each in found["hooks"])

    dispatched(story, attempts=2, timeout=0.3)


def test_a_repeated_request_has_the_same_id() -> None:
    async def story(action: Any, server: Server) -> None:
        await action(hooks=hooks("then/500"))
        one, two = server.asked
        assert one[3] == two[3]
        assert one[2]["webhook-id"] == two[2]["webhook-id"] == json.loads(one[3])["id"]

    dispatched(story, secret=Secret(SECRET))


def test_all_that_failed_is_failed_and_what_is_tried_dry_is_not_sent() -> None:
    async def story(action: Any, server: Server) -> None:
        assert (await action(hooks=hooks("status/400", "status/410")))["status"] == "failed"
        assert (await action(hooks=hooks("status/302")))["hooks"][0]["status"] == "failed"
        server.asked.clear()
        dry = await action(hooks=hooks("a"), dry_run=True)
        assert (dry["status"], dry["hooks"][0]["status"], dry["skipped"]) == ("dry_run", "dry_run", 1)
        assert (await action(hooks=hooks("a", enabled=False)))["status"] == "skipped"
        assert (await action())["status"] == "skipped"
        assert server.asked == []

    dispatched(story)


def test_hostile_payloads_are_refused() -> None:
    async def story(action: Any, server: Server) -> None:
        for value in HOSTILE:
            for field in ("url", "method", "headers", "timeout_seconds", "secret", "name"):
                try:
                    await action(hooks=[{"url": "a", field: value}])
                except InvalidPayload as error:
                    assert error.field is not None and error.field.startswith("hooks[0]")

    dispatched(story)


def test_settings_are_looked_at_and_a_secret_is_not_told() -> None:
    with pytest.raises(ActionMisconfigured) as caught:
        EventDispatch(http=None, secret=Secret("not base64!"))  # type: ignore[arg-type]
    assert "not base64!" not in str(caught.value)
