"""http.fetch: asked by a real client of a real server, whatever it answers and whatever a payload holds."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from oneiric.actions import ActionMisconfigured, ActionRefused, ActionUnavailable, InvalidPayload
from oneiric.actions.fetch import HttpFetch
from oneiric.testing.contracts import ActionContract

from tests.unit.actions.payloads import HOSTILE
from tests.unit.actions.serving import Server, asking


class TestFetch(ActionContract):
    @asynccontextmanager
    async def fresh(self) -> AsyncGenerator[Any]:
        async with asking(HttpFetch) as (action, _):
            yield action

    def payloads(self) -> list[dict[str, Any]]:
        return [
            {"url": "any", "params": {"a": [1, "b"], "c": True}},
            {"path": "any", "method": "post", "json": {"a": [None]}, "headers": {"x-a": "b"}},
            {"url": "status/404"},
        ]

    def refused(self) -> list[dict[str, Any]]:
        return [
            {},
            {"url": ""},
            {"url": "a", "path": "b"},
            {"url": "ftp://127.0.0.1/"},
            {"url": "any", "method": "TRACE"},
            {"url": "any", "method": "GET / HTTP/1.1\r\nx: y"},
            {"url": "any", "headers": {"x": "a\r\nb: c"}},
            {"url": "any", "headers": {"x y": "a"}},
            {"url": "any", "headers": []},
            {"url": "any", "params": {"a": {}}},
            {"url": "any", "json": 1, "content": "a"},
            {"url": "any", "timeout": 0},
            {"url": "any", "verify": False},
            {"url": "any", "allow_redirects": False},
            {"url": "any", "raise_for_status": 1},
            {"url": "status/404", "raise_for_status": True},
        ]


def fetched(story: Callable[[Any, Server], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        async with asking(HttpFetch, **settings) as (action, server):
            await story(action, server)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("kind", "body", "json", "text", "data"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}, '{"a": 1}', None),
        ("application/problem+json; charset=utf-8", b"[]", [], "[]", None),
        ("application/json", b"{", None, "{", None),
        ("application/json", b'{"a": NaN}', None, '{"a": NaN}', None),
        ("application/json", b'"\\ud800"', None, '"\\ud800"', None),
        ("application/json", b"[" * 5_000, None, "[" * 5_000, None),
        ("text/plain", b'{"a": 1}', None, '{"a": 1}', None),
        ("text/plain; charset=latin-1", b"\xe9", None, "é", None),
        ("text/html", b"\xff", None, "�", None),
        ("image/png", b"\x00\xff", None, None, "AP8="),
        ("application/octet-stream", b"", None, "", None),
    ],
)
def test_a_body_is_read_as_its_content_type_says(kind: str, body: bytes, json: Any, text: Any, data: Any) -> None:
    async def story(action: Any, server: Server) -> None:
        query = urlencode({"type": kind, "body": base64.b64encode(body).decode()})
        found = await action(url=f"as?{query}")
        assert (found["json"], found["text"], found["data"]) == (json, text, data)
        assert (found["status"], found["status_code"], found["ok"], found["method"]) == ("success", 200, True, "GET")
        assert found["headers"]["content-type"] == kind
        assert found["url"].startswith(server.url)

    fetched(story)


def test_what_is_sent_is_what_the_payload_says() -> None:
    async def story(action: Any, server: Server) -> None:
        await action(url="a", method="post", json={"é": 1}, headers={"x-own": "2"}, params={"q": ["a b", 1, True]})
        await action(url="a", method="PUT", data={"a": "b c", "d": [1, 2]})
        await action(url="a", method="PATCH", content="é")
        (one, two, three) = server.asked
        assert one[:2] == ("POST", "/a?q=a+b&q=1&q=true")
        assert one[3] == '{"é":1}'.encode()
        assert {"x-own": "2", "x-of-all": "1"}.items() <= {name.lower(): each for name, each in one[2].items()}.items()
        assert (two[2]["Content-Type"], two[3]) == ("application/x-www-form-urlencoded", b"a=b+c&d=1&d=2")
        assert (three[2]["Content-Type"], three[3]) == ("text/plain; charset=utf-8", "é".encode())

    fetched(story, default_headers={"x-of-all": "1", "x-own": "1"})


def test_an_error_is_an_answer_unless_it_is_to_be_raised() -> None:
    async def story(action: Any, server: Server) -> None:
        found = await action(url="status/503")
        assert (found["status"], found["status_code"], found["ok"]) == ("error", 503, False)
        with pytest.raises(ActionUnavailable, match="got the status 503"):
            await action(url="status/503", raise_for_status=True)
        with pytest.raises(ActionRefused, match="got the status 404"):
            await action(url="status/404", raise_for_status=True)
        assert (await action(url="away"))["url"] == f"{server.url}/status/200"

    fetched(story)


def test_what_may_be_repeated_is_asked_again_and_what_may_not_is_not() -> None:
    async def story(action: Any, server: Server) -> None:
        assert (await action(url="then/503"))["status_code"] == 200
        assert len(server.asked) == 2
        assert (await action(url="then/502", method="post"))["status_code"] == 502
        assert len(server.asked) == 3

    fetched(story, retries=1)


def test_who_does_not_answer_or_too_much_is_an_error_that_names_no_value() -> None:
    async def story(action: Any, server: Server) -> None:
        with pytest.raises(ActionUnavailable) as late:
            await action(url="hang?key=hidden", timeout=0.2)
        with pytest.raises(ActionRefused, match="more than 1000 bytes") as large:
            await action(url="large?key=hidden")
        with pytest.raises(ActionUnavailable) as nobody:
            await action(url="http://127.0.0.1:1/?key=hidden")
        assert "hidden" not in f"{late.value}{large.value}{nobody.value}"

    fetched(story, max_bytes=1000)


def test_hostile_payloads_are_refused() -> None:
    async def story(action: Any, server: Server) -> None:
        for value in HOSTILE:
            for field in ("url", "method", "content", "headers", "params", "timeout", "verify"):
                payload = {"url": "a", field: value}
                try:
                    await action(**payload)
                except InvalidPayload as error:
                    assert error.field is not None and error.field.startswith(field)

    fetched(story)


def test_settings_are_looked_at() -> None:
    for field, value in (
        ("default_method", "x"),
        ("timeout", 0),
        ("max_bytes", 0),
        ("default_headers", {"a": "\n"}),
    ):
        with pytest.raises(ActionMisconfigured):
            HttpFetch(http=None, **{field: value})  # type: ignore[arg-type]
