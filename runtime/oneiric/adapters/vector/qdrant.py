"""Vector provider `qdrant`: a collection of a Qdrant server, by its HTTP API."""

from __future__ import annotations

import json
import math
import re
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid5

import msgspec

from oneiric import Secret, component
from oneiric.adapters._common.api import Answer, Api, Deadline
from oneiric.adapters._common.network import Faults
from oneiric.adapters.vector import (
    MAX_DIMENSION,
    Filter,
    Match,
    Metadata,
    Point,
    VectorClosed,
    VectorError,
    VectorMisconfigured,
    VectorRefused,
    VectorUnavailable,
    check_ids,
    check_namespace,
    check_query,
    checked_points,
    checked_vector,
)
from oneiric.adapters.vector._batches import batches
from oneiric.errors import AdapterError

_PROVIDER = "qdrant"
_FAULTS = Faults(_PROVIDER, VectorUnavailable, VectorRefused, VectorMisconfigured)
_COLLECTION = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SENT = 8 * 1024 * 1024  # bytes of points in a request; a server takes 32 MiB if it is not told otherwise
_GOT = 100  # points in an answer that has vectors
_KEYS = UUID("5c9a7a2e-3f0b-5d0e-9a1d-6f6b1f0c7e52")  # what ids and terms are made by; kept data stand on it
_INDEXES: dict[str, dict[str, object]] = {
    "namespace": {"type": "keyword", "is_tenant": True},
    "terms": {"type": "uuid", "on_disk": True},
}
Found = TypeVar("Found")


class _Payload(msgspec.Struct):
    id: str
    metadata: dict[str, Any]


class _Point(msgspec.Struct):
    payload: _Payload
    vector: dict[str, list[float]] = {}
    score: float = 0.0


class _Nearest(msgspec.Struct):
    points: list[_Point]


class _Points(msgspec.Struct):
    result: list[_Point]


class _Matches(msgspec.Struct):
    result: _Nearest


@component(
    "adapter",
    "vector",
    provider="qdrant",
    priority=0,
    stack_level=-20,
    capabilities=("cosine", "filter", "immediate", "namespaces", "persistent"),
    port="oneiric.adapters.vector:Vectors",
)
class QdrantVectors:
    """Points in a collection of a Qdrant server; the collection is made if it is missing.

    Needs a server of Qdrant 1.11 or later.

    `dimension`: how many numbers a vector has.
    `collection`: the collection's name; one of another dimension, or that is something else, is refused.
    `url`: where the server is.
    `api_key`: the key of the server; none for one that is open to all.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for one request, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        dimension: int,
        collection: str = "oneiric_vectors",
        url: str = "http://localhost:6333",
        api_key: Secret | None = None,
        ca_file: Path | None = None,
        timeout: float = 30.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 20,
    ) -> None:
        _FAULTS.check_above_zero(timeout=timeout, healthcheck_timeout=healthcheck_timeout)
        if not 1 <= dimension <= MAX_DIMENSION:
            raise _FAULTS.no_sense(f"{dimension} is not from 1 to {MAX_DIMENSION}", "dimension")
        if not _COLLECTION.fullmatch(collection):
            raise _FAULTS.no_sense("is not a word of at most 128 letters, digits, `_` and `-`", "collection")
        self._api = Api(
            _FAULTS,
            VectorClosed,
            base_url=url,
            setting="url",
            key=api_key,
            key_header=("api-key", ""),
            ca_file=ca_file,
            max_connections=max_connections,
        )
        self._dimension = dimension
        self._collection = collection
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout

    async def start(self) -> None:
        await self._api.open()
        found = await self._look()
        if found is None:
            await self._create()
            found = await self._look()
        indexed = self._checked(found)
        for field, schema in _INDEXES.items():
            if field not in indexed:
                await self._change("PUT", "/index?wait=true", {"field_name": field, "field_schema": schema})

    async def health(self) -> bool:
        try:
            return await self._look() is not None
        except VectorError:
            return False

    async def aclose(self) -> None:
        await self._api.aclose()

    async def upsert(self, points: Sequence[Point], *, namespace: str = "") -> None:
        self._api.check_open()
        checked = checked_points(points, namespace, self._dimension, _PROVIDER)
        for batch in batches((_document(point, namespace) for point in checked), len(checked), _SENT):
            await self._change("PUT", "/points?wait=true", {"points": batch})

    async def query(
        self, vector: Sequence[float], *, limit: int = 10, where: Filter | None = None, namespace: str = ""
    ) -> list[Match]:
        check_namespace(namespace)
        check_query(limit, where)
        asked: dict[str, object] = {
            "query": _direction(checked_vector(vector, self._dimension, _PROVIDER)),
            "using": "direction",
            "filter": _filter(namespace, where),
            "limit": limit,
            "with_payload": ["id", "metadata"],
        }
        found = await self._read("/points/query", asked, _Matches)
        if where and len(found.result.points) < limit:  # an index may end before it has seen all
            found = await self._read("/points/query", {**asked, "params": {"exact": True}}, _Matches)
        matches = [
            Match(each.payload.id, max(-1.0, min(1.0, each.score)), each.payload.metadata)
            for each in found.result.points
        ]
        return sorted(matches, key=lambda match: (-match.score, match.id))

    async def get(self, ids: Sequence[str], *, namespace: str = "") -> list[Point]:
        keys = self._keys(ids, namespace)
        points: dict[str, Point] = {}
        for begin in range(0, len(keys), _GOT):
            asked = {"ids": keys[begin : begin + _GOT], "with_payload": ["id", "metadata"], "with_vector": True}
            for each in (await self._read("/points", asked, _Points)).result:
                points[each.payload.id] = self._point(each)
        return [points[id] for id in ids if id in points]

    async def delete(self, ids: Sequence[str], *, namespace: str = "") -> None:
        if keys := self._keys(ids, namespace):
            await self._change("POST", "/points/delete?wait=true", {"points": keys})

    async def clear(self, *, namespace: str = "") -> None:
        check_namespace(namespace)
        await self._change("POST", "/points/delete?wait=true", {"filter": _filter(namespace, None)})

    def _keys(self, ids: Sequence[str], namespace: str) -> list[str]:
        self._api.check_open()
        check_namespace(namespace)
        check_ids(ids)
        return [_key(namespace, id) for id in ids]

    def _point(self, found: _Point) -> Point:
        numbers = found.vector.get("given", found.vector.get("direction", ()))
        if len(numbers) != self._dimension:
            raise self._api.unavailable(f"it answered with a vector of {len(numbers)} numbers")
        return Point(found.payload.id, tuple(array("f", numbers)), found.payload.metadata)

    async def _look(self) -> dict[str, Any] | None:
        """What the server says of the collection, None if there is none."""
        answer = await self._ask("GET", "", None, self._healthcheck_timeout)
        match answer.status, answer.json():
            case 404, {"status": {"error": str()}}:
                return None
            case 200, {"result": {"config": {"params": dict()}}}:
                found: dict[str, Any] = answer.json()["result"]
                return found
            case _:
                raise self._failure(answer)

    async def _create(self) -> None:
        kept: dict[str, object] = {"size": self._dimension, "distance": "Dot"}
        given = {**kept, "on_disk": True, "hnsw_config": {"m": 0}}  # to be got, never looked for
        answer = await self._ask("PUT", "", {"vectors": {"direction": kept, "given": given}}, self._timeout)
        if answer.status not in (200, 409):  # another process may have been first
            raise self._failure(answer)

    def _checked(self, found: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """The indexes of the collection; raises the port's error unless it is one to work with."""
        match found:
            case {"config": {"params": {"vectors": {"direction": direction, "given": given}}}}:
                kinds = [(each.get("size"), each.get("distance")) for each in (direction, given)]
            case _:
                kinds = []
        if [distance for _, distance in kinds] != ["Dot", "Dot"]:
            raise _FAULTS.no_sense(f"{self._collection} is a collection of something else", "collection")
        if kinds != [(self._dimension, "Dot")] * 2:
            what = f"the vectors of collection {self._collection} have {kinds[0][0]} numbers, not {self._dimension}"
            raise _FAULTS.no_sense(what, "dimension")
        indexed: Mapping[str, Any] = found.get("payload_schema", {}) if found else {}
        return indexed

    async def _change(self, method: str, path: str, body: object) -> None:
        answer = await self._ask(method, path, body, self._timeout)
        match answer.status, answer.json():
            case 200, {"result": {"status": "completed"}}:
                return
            case 200, {"result": {"status": str()}}:
                raise self._api.unavailable("it took the change and has not made it yet")
            case _:
                raise self._failure(answer)

    async def _read(self, path: str, body: object, kind: type[Found]) -> Found:
        answer = await self._ask("POST", path, body, self._timeout)
        if answer.status != 200:
            raise self._failure(answer)
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except ValueError:
            raise self._failure(answer) from None

    async def _ask(self, method: str, path: str, body: object, seconds: float) -> Answer:
        self._api.check_open()
        path = f"/collections/{self._collection}{path}"
        answer = await self._api.ask(method, path, body, deadline=Deadline.within(seconds))
        if answer.status in (401, 403):
            raise _FAULTS.no_entry(f"the server answered {answer.status}{self._said(answer)}", "api_key")
        return answer

    def _failure(self, answer: Answer) -> AdapterError:
        setting = "collection" if answer.status in (400, 404) else ""
        return self._api.unusable(answer, self._said(answer), setting)

    def _said(self, answer: Answer) -> str:
        match answer.json():
            case {"status": {"error": str(message)}} if message:
                return f": {self._api.told(message)}"
            case _:
                return ""


def _key(*parts: str | float) -> str:
    return str(uuid5(_KEYS, json.dumps(parts)))


def _document(point: Point, namespace: str) -> dict[str, object]:
    """A point as it is kept: numbers that are not of the length 1 stand beside their direction.

    Qdrant itself takes a vector shorter than 0.0003 for one of zeros, and keeps none of another length as it was.
    """
    direction = _direction(point.vector)
    payload = {"id": point.id, "namespace": namespace, "terms": _terms(point.metadata), "metadata": point.metadata}
    vector = {"direction": direction} if direction is point.vector else {"direction": direction, "given": point.vector}
    return {"id": _key(namespace, point.id), "vector": vector, "payload": payload}


def _direction(numbers: Sequence[float]) -> Sequence[float]:
    length = math.hypot(*numbers)
    return numbers if abs(length - 1) < 1e-6 else [number / length for number in numbers]


def _terms(metadata: Metadata) -> list[str]:
    """What conditions other than ranges are looked up by: a term for each field, and one for each of its values."""
    terms = [_term(name) for name in metadata]
    for name, value in metadata.items():
        terms += [_term(name, each) for each in (value if isinstance(value, list) else [value])]
    return terms


def _term(name: str, *value: Any) -> str:
    equal = [each if isinstance(each, str | bool) else each + 0.0 for each in value]  # 2024 is 2024.0, 0.0 is -0.0
    return _key("term", name, *equal)


def _filter(namespace: str, where: Filter | None) -> dict[str, object]:
    must: list[object] = [{"key": "namespace", "match": {"value": namespace}}]
    must_not: list[object] = []
    operand: Any
    for name, condition in (where or {}).items():
        operators = condition if isinstance(condition, Mapping) else {"in": [condition]}
        for operator, operand in operators.items():
            if operator == "in":
                must.append({"key": "terms", "match": {"any": [_term(name, each) for each in operand]}})
            elif operator == "ne":
                must.append({"key": "terms", "match": {"value": _term(name)}})
                must_not.append({"key": "terms", "match": {"value": _term(name, operand)}})
            else:
                must.append({"key": f'metadata."{name}"', "range": {operator: operand}})
    return {"must": must, "must_not": must_not}
