"""A server of Pinecone's HTTP API, in this process, written from its documentation: there is no other to be had.

It looks at the key, the version, the shapes of requests and the documented limits. What is written is found when
`settle` is called, and not before: the service says only that it takes a while. Where the documentation is silent on
filters it does what is worse for the caller: `$ne` is met by records that have no such field.
"""

from __future__ import annotations

import json
import math
import re
import threading
from array import array
from collections.abc import Callable
from operator import ge, gt, le, lt
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from tests.backends.harness.receivers import Answering, HTTPReceiver

INDEX = "shop-1"
Answered = tuple[int, object]
_FIELD = {"type": "dense_vector", "metric": "cosine", "description": None}
_RANGES = {"$gt": gt, "$gte": ge, "$lt": lt, "$lte": le}


class Handler(Answering):
    def do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pinecone = cast("Pinecone", self.server.receiver)
        status, said = pinecone.answer(self.path, {name.lower(): text for name, text in self.headers.items()}, body)
        self.say(status, said)

    do_GET = do_POST = do


class Pinecone(HTTPReceiver):
    """`key`: who has another is turned away. `instead`: what is answered to all, if it is set."""

    handler = Handler

    def __init__(self, *, key: str, dimension: int) -> None:
        super().__init__()
        self.key = key
        self.dimension = dimension
        self.fields: dict[str, dict[str, Any]] = {"_values": {**_FIELD, "dimension": dimension}}
        self.ready = True
        self.instead: Answered | None = None
        self.asked: list[tuple[str, Any]] = []
        self.namespaces: dict[str, dict[str, Any]] = {}
        self._written: list[Callable[[], object]] = []
        self._lock = threading.Lock()

    def settle(self) -> None:
        with self._lock:
            written, self._written = self._written, []
            for write in written:
                write()

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Answered:
        if self.instead is not None:
            return self.instead
        if headers.get("x-pinecone-api-version") != "2026-07":
            return 400, _refusal(3, "the header X-Pinecone-Api-Version is missing")
        if headers.get("api-key") != self.key:
            return 401, f"Invalid API Key: {headers.get('api-key')}".encode()
        parts = urlsplit(path)
        asked: Any = json.loads(body) if body else parse_qs(parts.query)
        with self._lock:
            self.asked.append((parts.path, asked))
            if parts.path.startswith("/indexes/"):
                return self._describe(parts.path.removeprefix("/indexes/"), headers["host"])
            if len(body) > 2 * 1000 * 1000:
                return 413, _refusal(11, "message length too large")
            calls = {
                "/describe_index_stats": lambda _: (200, {"namespaces": {}, "dimension": self.dimension}),
                "/query": self._query,
                "/vectors/upsert": self._upsert,
                "/vectors/fetch": self._fetch,
                "/vectors/delete": self._delete,
            }
            return calls[parts.path](asked)

    def _describe(self, name: str, host: str) -> Answered:
        if name != INDEX:
            return 404, {"error": {"code": "NOT_FOUND", "message": f"Resource {name} not found"}, "status": 404}
        status = {"ready": self.ready, "state": "Ready" if self.ready else "Initializing"}
        deployment = {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1", "environment": "aped-1"}
        index = {"name": INDEX, "host": f"http://{host}", "status": status, "schema": {"fields": self.fields}}
        return 200, {**index, "deployment": deployment, "deletion_protection": "disabled", "tags": None}

    def _upsert(self, asked: Any) -> Answered:
        assert asked.keys() == {"vectors", "namespace"}
        if not 1 <= len(asked["vectors"]) <= 1000:
            return 400, _refusal(3, "1 to 1000 vectors")
        records: dict[str, Any] = {}
        for each in asked["vectors"]:
            assert each.keys() == {"id", "values", "metadata"}
            if len(each["values"]) != self.dimension:
                return 400, _refusal(3, f"Vector dimension {len(each['values'])} is not that of the index")
            if not any(each["values"]):
                return 400, _refusal(3, "Dense vectors must contain at least one non-zero value")
            if len(json.dumps(each["metadata"], ensure_ascii=False).encode()) > 40 * 1024:
                return 400, _refusal(3, "metadata size exceeds 40 KB")
            assert re.fullmatch(r"[\x21-\x7e]{1,512}", each["id"])
            metadata = {name: _kept(value) for name, value in each["metadata"].items()}
            records[each["id"]] = {**each, "values": list(array("f", each["values"])), "metadata": metadata}
        self._written.append(lambda: self.namespaces.setdefault(asked["namespace"], {}).update(records))
        return 200, {"upsertedCount": len(records)}

    def _fetch(self, asked: Any) -> Answered:
        assert len(asked["ids"]) <= 1000
        [namespace] = asked["namespace"]
        kept = self.namespaces.get(namespace, {})
        return 200, {"vectors": {id: kept[id] for id in asked["ids"] if id in kept}, "namespace": namespace}

    def _delete(self, asked: Any) -> Answered:
        kept = self.namespaces.get(asked["namespace"])
        if kept is None and not self._written:
            return 404, _refusal(5, "Namespace not found")
        if "ids" in asked and len(asked["ids"]) > 1000:
            return 400, _refusal(3, "at most 1000 ids")
        self._written.append(lambda: self._forget(asked))
        return 200, {}

    def _forget(self, asked: Any) -> None:
        kept = self.namespaces.get(asked["namespace"], {})
        for id in [*kept] if asked.get("deleteAll") else asked["ids"]:
            kept.pop(id, None)

    def _query(self, asked: Any) -> Answered:
        assert asked.keys() - {"filter", "includeValues"} == {"vector", "topK", "namespace", "includeMetadata"}
        if len(asked["vector"]) != self.dimension or not 1 <= asked["topK"] <= 1000:
            return 400, _refusal(3, "Vector dimension or topK out of range")
        found = [
            {"id": each["id"], "score": _cosine(asked["vector"], each["values"]), "metadata": each["metadata"]}
            for each in self.namespaces.get(asked["namespace"], {}).values()
            if _meets(each["metadata"], asked.get("filter", {}))
        ]
        found.sort(key=lambda match: -match["score"])
        return 200, {"matches": found[: asked["topK"]], "namespace": asked["namespace"], "usage": {"readUnits": 1}}


def _refusal(code: int, message: str) -> object:
    return {"code": code, "message": message, "details": []}


def _kept(value: Any) -> Any:
    """As it comes back: numbers are floats, written without what is not needed."""
    if isinstance(value, list):
        assert all(isinstance(each, str) for each in value)
        return value
    assert isinstance(value, str | int | float)
    if isinstance(value, str | bool):
        return value
    return int(value) if float(value).is_integer() else value


def _cosine(one: list[float], other: list[float]) -> float:
    exact = sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)
    return array("f", [exact])[0]


def _meets(metadata: dict[str, Any], filter: dict[str, Any]) -> bool:
    return all(_holds(metadata, name, condition) for name, condition in filter.items())


def _holds(metadata: dict[str, Any], name: str, condition: Any) -> bool:
    if name in ("$and", "$or"):
        assert condition, "it is empty"
        return (all if name == "$and" else any)(_meets(metadata, each) for each in condition)
    [(operator, operand)] = condition.items()
    value = metadata.get(name)
    if operator == "$exists":
        return (name in metadata) is operand
    if operator in _RANGES:
        assert _is_number(operand)
        return _is_number(value) and _RANGES[operator](value, operand)
    values = value if isinstance(value, list) else [value]
    equal = any(each == operand and isinstance(each, bool) == isinstance(operand, bool) for each in values)
    return {"$eq": equal, "$ne": not equal}[operator]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
