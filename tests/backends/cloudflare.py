"""The part of Cloudflare's API that is about DNS, in this process, written from its documentation.

It looks at the key, the shapes of requests, and the rules of its records: TTLs, what stands beside what, the form of a
TXT. A batch is made as a whole or not at all.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from tests.backends.harness.receivers import Answering, HTTPReceiver

ZONE, ZONE_ID = "example.org", "023e105f4ecef8ad9ca31a8372d0c353"
Answered = tuple[int, object]
_RECORDS = f"/client/v4/zones/{ZONE_ID}/dns_records"


class Handler(Answering):
    def do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        there = cast("Cloudflare", self.server.receiver)
        self.say(*there.answer(self.command, self.path, self.headers.get("Authorization", ""), body))

    do_GET = do_POST = do


class Wrong(Exception):
    def __init__(self, status: int, code: int, message: str) -> None:
        self.answer: Answered = status, failed(code, message)


def failed(code: int, message: str) -> object:
    return {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": None}


class Cloudflare(HTTPReceiver):
    """`key`: who has another is turned away. `instead`: what is answered to all about records, if it is set.
    `meanwhile` is done once, between two requests."""

    handler = Handler

    def __init__(self, *, key: str) -> None:
        super().__init__()
        self.key = key
        self.instead: Answered | None = None
        self.meanwhile: Callable[[], object] | None = None
        self.records: dict[str, dict[str, Any]] = {}
        self.batches: list[dict[str, list[Any]]] = []
        self._ids = count()
        self._lock = threading.Lock()

    def answer(self, method: str, path: str, authorization: str, body: bytes) -> Answered:
        if authorization != f"Bearer {self.key}":
            return 403, failed(9109, f"Invalid access token {authorization}")
        parts = urlsplit(path)
        query = {name: value for name, [value] in parse_qs(parts.query).items()}
        with self._lock:
            try:
                if (method, parts.path) == ("GET", "/client/v4/zones"):
                    zones = [{"id": ZONE_ID, "name": ZONE, "status": "active"}]
                    return 200, self._of(zones if query["name"] == ZONE else [])
                if self.instead is not None:
                    return self.instead
                if (method, parts.path) == ("GET", _RECORDS):
                    return 200, self._listed(query)
                assert (method, parts.path) == ("POST", f"{_RECORDS}/batch")
                meanwhile, self.meanwhile = self.meanwhile, None
                if meanwhile is not None:
                    meanwhile()
                return 200, self._of(self._batch(json.loads(body)))
            except Wrong as error:
                return error.answer

    def _of(self, result: object) -> object:
        return {"success": True, "errors": [], "messages": [], "result": result}

    def _listed(self, query: dict[str, str]) -> object:
        assert query.keys() <= {"name.exact", "page", "per_page", "order"}
        size, page = int(query["per_page"]), int(query.get("page", 1))
        wanted = query.get("name.exact")
        found = [each for each in self.records.values() if wanted in (None, each["name"])]
        found.sort(key=lambda each: str(each["name"]))
        return self._of(found[size * (page - 1) : size * page])

    def _batch(self, asked: dict[str, list[Any]]) -> object:
        assert asked.keys() <= {"deletes", "patches", "posts"}
        assert all(asked.values())
        self.batches.append(asked)
        before = {id: dict(each) for id, each in self.records.items()}
        try:
            for each in asked.get("deletes", ()):
                del self.records[self._there(each)]
            for each in asked.get("patches", ()):
                self.records[self._there(each)] |= {"ttl": _checked_ttl(each["ttl"])}
            for each in asked.get("posts", ()):
                self.add(each)
        except Wrong:
            self.records = before
            raise
        made: dict[str, list[Any]] = {kind: [] for kind in ("deletes", "patches", "puts", "posts")}
        return made

    def _there(self, asked: dict[str, Any]) -> str:
        id = cast("str", asked["id"])
        if id not in self.records:
            raise Wrong(404, 81044, "Record does not exist.")
        return id

    def add(self, asked: dict[str, Any]) -> None:
        kind, name = asked["type"], asked["name"]
        record = {"proxied": False, **asked, "ttl": _checked_ttl(asked["ttl"]), **_content(asked)}
        beside = [each for each in self.records.values() if each["name"] == name]
        for each in beside:
            if "CNAME" in (kind, each["type"]) and {kind, each["type"]} <= {"A", "AAAA", "CNAME"}:
                raise Wrong(400, 81053, "An A, AAAA, or CNAME record with that host already exists.")
            if "NS" in (kind, each["type"]) and kind != each["type"]:
                raise Wrong(400, 81056, "NS records with that host already exist.")
            if (each["type"], each["content"]) == (kind, record["content"]):
                raise Wrong(400, 81058, "An identical record already exists.")
        id = f"{next(self._ids):032x}"
        self.records[id] = {"id": id, **record}

    def named(self, name: str) -> Iterator[dict[str, Any]]:
        return (each for each in self.records.values() if each["name"] == name)


def _checked_ttl(ttl: int) -> int:
    if ttl != 1 and not 60 <= ttl <= 86400:
        raise Wrong(400, 9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.")
    return ttl


def _content(asked: dict[str, Any]) -> dict[str, Any]:
    """What the service makes of a record's fields."""
    kind = asked["type"]
    if kind == "SRV":
        assert asked["data"].keys() == {"priority", "weight", "port", "target"}
        data = asked["data"]
        return {"content": f"{data['weight']} {data['port']} {data['target']}", "priority": data["priority"]}
    if kind == "CAA":
        assert asked["data"].keys() == {"flags", "tag", "value"}
        return {"content": '{flags} {tag} "{value}"'.format(**asked["data"])}
    assert asked.keys() == {"name", "type", "content", "ttl", *(("priority",) if kind == "MX" else ())}
    content = asked["content"]
    if kind == "TXT":
        assert content.startswith('"') and content.endswith('"') and content.isascii()
        if len(content) > 4096:
            raise Wrong(400, 9207, "Content for TXT record is too long.")
    else:
        assert not content.endswith(".")
    return {"content": content}
