"""Vector provider `pinecone`: an index of Pinecone, by its HTTP API."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid5

import msgspec

from oneiric import Secret, component
from oneiric.adapters._common.api import Answer, Api, Deadline, said_of
from oneiric.adapters._common.network import Faults
from oneiric.adapters.vector import (
    MAX_METADATA,
    Filter,
    InvalidPoint,
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

_PROVIDER = "pinecone"
_FAULTS = Faults(_PROVIDER, VectorUnavailable, VectorRefused, VectorMisconfigured)
_VERSION = "2026-07"
_INDEX = re.compile(r"[a-z0-9-]{1,45}")
_KEYS = UUID("1f0d5c63-7d0e-5b43-8a4e-2b7c9f3f6a10")  # what ids are made by; kept data stand on it
_AMOUNT, _SIZE = 1000, 2_000_000 - 1000  # records of a change, and their bytes, that the service takes
_GOT = 100  # records that are asked for in one URL
_ID, _INTEGERS = "oneiric:id", "oneiric:integers"  # in the metadata; no field of the port has a colon
Found = TypeVar("Found")


class _Record(msgspec.Struct):
    metadata: dict[str, Any]
    values: list[float] = []
    score: float = 0.0


class _Matches(msgspec.Struct):
    matches: list[_Record] = []


class _Records(msgspec.Struct):
    vectors: dict[str, _Record] = {}


@component(
    "adapter",
    "vector",
    provider="pinecone",
    priority=0,
    stack_level=-20,
    capabilities=("cosine", "filter", "namespaces", "persistent"),
    port="oneiric.adapters.vector:Vectors",
)
class PineconeVectors:
    """Points in an index of Pinecone, which must exist and be of cosine; what is written is found a while later.

    Needs an account of Pinecone.

    `index`: the index's name.
    `api_key`: a key of the project that the index is in.
    `base_url`: where the project's indexes are described; each says itself where it is.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for one request, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for either of two requests at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        index: str,
        api_key: Secret,
        base_url: str = "https://api.pinecone.io",
        ca_file: Path | None = None,
        timeout: float = 30.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 20,
    ) -> None:
        _FAULTS.check_above_zero(timeout=timeout, healthcheck_timeout=healthcheck_timeout)
        if not _INDEX.fullmatch(index):
            raise _FAULTS.no_sense("is not a name of at most 45 of a-z, 0-9 and `-`", "index")
        self._index = index
        self._key = api_key
        self._ca_file = ca_file
        self._max_connections = max_connections
        self._control = self._api_at(base_url)
        self._data: Api | None = None
        self._dimension = 0
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout

    async def start(self) -> None:
        await self.aclose()
        await self._control.open()
        try:
            host = await self._describe()
        finally:
            await self._control.aclose()
        self._data = self._api_at(host if "://" in host else f"https://{host}")
        await self._data.open()
        await self._ask_health()

    async def health(self) -> bool:
        try:
            await self._ask_health()
        except VectorError:
            return False
        return True

    async def aclose(self) -> None:
        data, self._data = self._data, None
        if data is not None:
            await data.aclose()

    async def upsert(self, points: Sequence[Point], *, namespace: str = "") -> None:
        self._check_open()
        checked = checked_points(points, namespace, self._dimension, _PROVIDER)
        for batch in batches([_document(point) for point in checked], _AMOUNT, _SIZE):
            asked = {"vectors": batch, "namespace": _namespace(namespace)}
            self._check(await self._answer("POST", "/vectors/upsert", asked, self._timeout))

    async def query(
        self, vector: Sequence[float], *, limit: int = 10, where: Filter | None = None, namespace: str = ""
    ) -> list[Match]:
        self._check_open()
        check_namespace(namespace)
        check_query(limit, where)
        asked: dict[str, object] = {
            "vector": checked_vector(vector, self._dimension, _PROVIDER),
            "topK": limit,
            "namespace": _namespace(namespace),
            "includeMetadata": True,
        }
        if where:
            conditions = _conditions(where)
            if conditions is None:
                return []
            asked["filter"] = {"$and": conditions}
        found = await self._read("POST", "/query", asked, _Matches)
        matches = [
            Match(self._id(each), max(-1.0, min(1.0, each.score)), _metadata(each.metadata)) for each in found.matches
        ]
        return sorted(matches, key=lambda match: (-match.score, match.id))

    async def get(self, ids: Sequence[str], *, namespace: str = "") -> list[Point]:
        keys = self._keys(ids, namespace)
        points: dict[str, Point] = {}
        for begin in range(0, len(keys), _GOT):
            wanted = "&".join(f"ids={key}" for key in keys[begin : begin + _GOT])
            path = f"/vectors/fetch?{wanted}&namespace={_namespace(namespace)}"
            for each in (await self._read("GET", path, None, _Records)).vectors.values():
                points[self._id(each)] = self._point(each)
        return [points[id] for id in ids if id in points]

    async def delete(self, ids: Sequence[str], *, namespace: str = "") -> None:
        keys = self._keys(ids, namespace)
        for begin in range(0, len(keys), _AMOUNT):
            await self._delete(namespace, {"ids": keys[begin : begin + _AMOUNT]})

    async def clear(self, *, namespace: str = "") -> None:
        self._check_open()
        check_namespace(namespace)
        await self._delete(namespace, {"deleteAll": True})

    async def _delete(self, namespace: str, what: dict[str, object]) -> None:
        asked = {**what, "namespace": _namespace(namespace)}
        answer = await self._answer("POST", "/vectors/delete", asked, self._timeout)
        is_about_the_namespace = "namespace" in said_of(answer.json())[0].lower()
        if not (answer.status == 404 and is_about_the_namespace):  # to which nothing was ever written
            self._check(answer)

    def _keys(self, ids: Sequence[str], namespace: str) -> list[str]:
        self._check_open()
        check_namespace(namespace)
        check_ids(ids)
        return [_key(id) for id in ids]

    def _id(self, found: _Record) -> str:
        id = found.metadata.get(_ID)
        if not isinstance(id, str):
            raise _FAULTS.no_answer("a record there was not written by this component", "index")
        return id

    def _point(self, found: _Record) -> Point:
        return Point(self._id(found), tuple(array("f", found.values)), _metadata(found.metadata))

    async def _describe(self) -> str:
        """Where the index is; raises the port's error unless it is one to work with."""
        deadline = Deadline.within(self._healthcheck_timeout)
        answer = await self._control.ask("GET", f"/indexes/{self._index}", deadline=deadline)
        if answer.status == 404:
            raise _FAULTS.no_sense(f"the project has no index {self._index}", "index")
        match answer.status, answer.json():
            case 200, {"host": str(host), "status": {"ready": True}, "schema": {"fields": dict()}} if host:
                self._dimension = self._dimension_of(answer.json()["schema"]["fields"])
                return host
            case 200, {"status": {"ready": False}}:
                raise _FAULTS.no_answer(f"the index {self._index} is not ready", "index")
            case _:
                raise self._failure(answer)

    def _dimension_of(self, fields: Mapping[str, Any]) -> int:
        vectors = [field for field in fields.values() if "vector" in str(field.get("type"))]
        match vectors:
            case [{"type": "dense_vector", "metric": "cosine", "dimension": int(dimension)}]:
                return dimension
            case _:
                kept = ", ".join(f"{each.get('type')} {each.get('metric')}" for each in vectors) or "none"
                raise _FAULTS.no_sense(f"the vectors of {self._index} are not one dense of cosine: {kept}", "index")

    async def _ask_health(self) -> None:
        self._check(await self._answer("POST", "/describe_index_stats", {}, self._healthcheck_timeout))

    async def _answer(self, method: str, path: str, body: object, seconds: float) -> Answer:
        return await self._check_open().ask(method, path, body, deadline=Deadline.within(seconds))

    def _check(self, answer: Answer) -> None:
        if answer.status != 200:
            raise self._failure(answer)

    async def _read(self, method: str, path: str, body: object, kind: type[Found]) -> Found:
        answer = await self._answer(method, path, body, self._timeout)
        self._check(answer)
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except ValueError:
            raise self._failure(answer) from None

    def _failure(self, answer: Answer) -> AdapterError:
        message, _ = said_of(answer.json())
        said = f": {self._control.told(message)}" if message else ""
        if answer.status in (401, 403):
            return _FAULTS.no_entry(f"it answered {answer.status}{said}", "api_key")
        return self._control.unusable(answer, said)

    def _check_open(self) -> Api:
        if self._data is None:
            raise VectorClosed("it is not open", provider=_PROVIDER)
        return self._data

    def _api_at(self, url: str) -> Api:
        return Api(
            _FAULTS,
            VectorClosed,
            base_url=url,
            headers={"x-pinecone-api-version": _VERSION},
            key=self._key,
            key_header=("api-key", ""),
            ca_file=self._ca_file,
            max_connections=self._max_connections,
        )


def _key(id: str) -> str:
    return str(uuid5(_KEYS, id))


def _namespace(name: str) -> str:
    """Apart from other namespaces of the index, and from `__default__`, which is the one without a name."""
    return f"oneiric-{name}"


def _document(point: Point) -> dict[str, object]:
    metadata: dict[str, object] = {**point.metadata, _ID: point.id}
    if integers := [name for name, value in point.metadata.items() if type(value) is int]:
        metadata[_INTEGERS] = integers  # all numbers become floats there
    if len(json.dumps(metadata, ensure_ascii=False).encode()) > MAX_METADATA:
        raise InvalidPoint(f"metadata have at most {MAX_METADATA} bytes as JSON, with the id and the names of integers")
    return {"id": _key(point.id), "values": point.vector, "metadata": metadata}


def _metadata(kept: dict[str, Any]) -> Metadata:
    integers = kept.get(_INTEGERS, ())
    return {name: _value(value, name in integers) for name, value in kept.items() if name not in (_ID, _INTEGERS)}


def _value(kept: Any, is_integer: bool) -> Any:
    if isinstance(kept, bool) or not isinstance(kept, int | float):
        return kept
    return int(kept) if is_integer else float(kept)


def _conditions(where: Filter) -> list[object] | None:
    """What records must meet, in the service's words; None where none can."""
    conditions: list[object] = []
    operand: Any
    for name, condition in where.items():
        operators = condition if isinstance(condition, Mapping) else {"in": [condition]}
        for operator, operand in operators.items():
            if operator == "in" and not operand:
                return None
            if operator == "in":
                conditions.append({"$or": [{name: {"$eq": each}} for each in operand]})
            elif operator == "ne":  # by itself it may be met by what has no such field
                conditions += [{name: {"$exists": True}}, {name: {"$ne": operand}}]
            else:
                conditions.append({name: {f"${operator}": operand}})
    return conditions
