"""Services of chats, by their documentation: they check what they are sent, and hand it on as people would read it.

`faults` are answers to the next notices instead: a status, a body and headers, or None for a connection that is closed.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any, cast

from oneiric.adapters.chat import Level, Notice
from standardwebhooks.webhooks import Webhook

from tests.backends.harness.receivers import Answering, HTTPReceiver

Answer = tuple[int, bytes, Mapping[str, str]]
OK: Mapping[str, str] = {}


class Handler(Answering):
    def do_HEAD(self) -> None:
        assert self.path == "/"  # nothing secret in a log
        self.say(404, b"")

    def do_POST(self) -> None:
        chat = cast("Chat", self.server.receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Content-Type"] == "application/json"
        answer = chat.asked(self.path, self.headers)
        if answer is None:
            chat.attempts += 1
            answer = chat.faults.pop(0) if chat.faults else chat.take(self.path, self.headers, body)
        if answer is None:
            self.hang_up()
        else:
            self.say(*answer)


class Chat(HTTPReceiver):
    handler = Handler

    def __init__(self) -> None:
        super().__init__()
        self.posted: list[Notice] = []
        self.attempts = 0
        self.faults: list[Answer | None] = []

    def asked(self, path: str, headers: Mapping[str, str]) -> Answer | None:
        """The answer to what is not a notice."""
        return None

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        raise NotImplementedError


# Slack


class Slack(Chat):
    """With a token `xoxb-tests` and an incoming webhook; `ops` and `C1` are its channels."""

    token = "xoxb-tests"
    path = "/services/T1/B1/s3cret"

    def asked(self, path: str, headers: Mapping[str, str]) -> Answer | None:
        if path != "/api/auth.test":
            return None
        return self.told(
            {"ok": True, "bot_id": "B1"} if self.is_by_bot(headers) else {"ok": False, "error": "invalid_auth"}
        )

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        message = json.loads(body)
        wrong = wrong_with(message)
        if path == self.path:
            assert "channel" not in message
            if wrong:
                return 400, wrong.encode(), OK
            self.posted.append(_of_blocks(message, None))
            return 200, b"ok", OK
        if path != "/api/chat.postMessage":
            return 404, b"no_service", OK
        channel = message.pop("channel", None)
        if not self.is_by_bot(headers):
            wrong = "invalid_auth"
        elif channel not in ("ops", "C1"):
            wrong = "channel_not_found"
        if wrong:
            return self.told({"ok": False, "error": wrong})
        self.posted.append(_of_blocks(message, channel))
        return self.told({"ok": True, "channel": "C1", "ts": f"{1503435956 + len(self.posted)}.000247"})

    def is_by_bot(self, headers: Mapping[str, str]) -> bool:
        return headers.get("authorization") == f"Bearer {self.token}"

    def told(self, document: object, status: int = 200, **headers: str) -> Answer:
        return status, json.dumps(document).encode(), {"Content-Type": "application/json; charset=utf-8", **headers}


def wrong_with(message: Any) -> str:
    """The code that Slack has for what is wrong with a message, by the limits of its reference."""
    if set(message) - {"channel"} != {"text", "blocks"} or not message["text"]:
        return "no_text"
    if len(message["text"]) > 40_000:
        return "msg_too_long"
    for block in message["blocks"]:
        fields = block.get("fields", [])
        most = 150 if block["type"] == "header" else 3000
        fits = all(0 < len(each["text"]) <= 2000 for each in fields) and len(fields) <= 10
        texts = [*fields, *([block["text"]] if "text" in block else [])]
        if not texts or not fits or any(each["type"] != "plain_text" or each["emoji"] for each in texts):
            return "invalid_blocks"
        if "text" in block and not 0 < len(block["text"]["text"]) <= most:
            return "invalid_blocks"
    return ""


SIGNS: Mapping[str, Level] = {"\N{WARNING SIGN} ": "warning", "\N{OCTAGONAL SIGN} ": "error"}


def _of_blocks(message: Any, channel: str | None) -> Notice:
    """What is read, where blocks are shown and where they are not: that is `mrkdwn`, and none of it in use."""
    assert not re.search(r"<|>|&(?!(amp|lt|gt);)", message["text"])
    title, level, fields = "", cast("Level", "info"), {}
    text = ""
    for block in message["blocks"]:
        shown = block.get("text", {}).get("text", "")
        for sign, of in SIGNS.items():
            if shown.startswith(sign):
                shown, level = shown.removeprefix(sign), of
        match block["type"]:
            case "header":
                title = shown
            case "section" if "fields" in block:
                fields = dict(each["text"].split("\n", 1) for each in block["fields"])
            case _:
                text = shown
    return Notice(text, title, level, channel, fields)


# Teams


class Teams(Chat):
    """A flow that is begun by a webhook, with the signature that its URL has."""

    path = (
        "/workflows/f1/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sig=s3cret-_"
    )

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if path != self.path:
            return 401, self.error("DirectApiAuthorizationRequired"), OK
        if len(body) > 28 * 1024:
            return 413, self.error("RequestEntityTooLarge"), OK
        message = json.loads(body)
        [attachment] = message["attachments"]
        card = attachment["content"]
        assert message["type"] == "message"
        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
        self.posted.append(_of_card(card["body"]))
        return 202, b"", {"x-ms-workflow-run-id": f"0858{len(self.posted)}"}

    def error(self, code: str) -> bytes:
        return json.dumps({"error": {"code": code, "message": f"of {self.path}"}}).encode()


def _of_card(body: Any) -> Notice:
    levels: Mapping[str, Level] = {"Default": "info", "Warning": "warning", "Attention": "error"}
    for block in body:
        assert block["type"] == "RichTextBlock"
        assert all(run["type"] == "TextRun" and run["text"] for run in block["inlines"])
    level = levels[body[0]["inlines"][0]["color"]]
    fields = {
        block["inlines"][0]["text"].removesuffix(": "): block["inlines"][1]["text"]
        for block in body
        if len(block["inlines"]) > 1
    }
    texts = [block["inlines"][0] for block in body if len(block["inlines"]) == 1]
    title = texts[0]["text"] if len(texts) == 2 and texts[0].get("weight") == "Bolder" else ""
    assert len(texts) == (2 if title else 1)
    return Notice(texts[-1]["text"], title, level, None, fields)


# any webhook


class Hooks(Chat):
    """What takes notices with a token and a signature that is right, each id once."""

    path = "/hooks/s3cret?of=tests"
    token = "t0ken"
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if path != self.path or headers.get("Authorization") != f"Bearer {self.token}":
            return 401, b"not by " + path.encode(), OK
        named = {name: headers[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
        told = Webhook(self.secret).verify(body, named)
        assert abs(int(named["webhook-timestamp"]) - time.time()) < 60
        assert told.pop("id") == named["webhook-id"] and named["webhook-id"] not in self.ids
        self.ids.add(named["webhook-id"])
        self.posted.append(Notice(**told))
        return 204, b"", OK
