"""A server of Qdrant's HTTP API, in this process: shapes by the models of its client, points in Qdrant's own engine.

There is no package of the server itself. Its engine is packaged, as `qdrant-edge-py`: storage, filters, distances and
indexes are those of the server. What is between the two is written here, by the API's documentation: paths, keys,
collections, errors. Requests are checked by the models of `qdrant-client`, which are made from the API's description.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Mapping
from typing import Any, cast

import qdrant_edge as edge
from pydantic import ValidationError
from qdrant_client.http import models

from tests.backends.harness.receivers import Answering, HTTPReceiver

Answered = tuple[int, object]


class Refused(Exception):
    """What the server answers instead, as it says it."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


class Collection:
    def __init__(self, asked: models.CreateCollection, indexing_threshold: int | None) -> None:
        assert isinstance(asked.vectors, dict)
        self.params = {name: params.model_dump(exclude_none=True) for name, params in asked.vectors.items()}
        vectors = {name: _vector_params(params) for name, params in asked.vectors.items()}
        optimizers = edge.EdgeOptimizersConfig(indexing_threshold=indexing_threshold)
        self._folder = tempfile.TemporaryDirectory(prefix="oneiric-qdrant-")
        self.shard = edge.EdgeShard.create(self._folder.name, edge.EdgeConfig(vectors=vectors, optimizers=optimizers))
        self.indexes: dict[str, object] = {}

    def close(self) -> None:
        self.shard.close()
        self._folder.cleanup()

    def info(self) -> object:
        params = models.CollectionParams.model_validate({"vectors": self.params})
        schema = {field: {"data_type": _kind(params), "points": 0} for field, params in self.indexes.items()}
        config = {"params": params.model_dump(exclude_none=True, mode="json")}
        return {"status": "green", "config": config, "payload_schema": schema}

    def index(self, body: object) -> object:
        asked = models.CreateFieldIndex.model_validate(body)
        params: Any = asked.field_schema
        given = params.model_dump(exclude_none=True, exclude={"type"})
        made: Any = {"keyword": edge.KeywordIndexParams, "uuid": edge.UuidIndexParams}[_kind(params)](**given)
        self.shard.update(edge.UpdateOperation.create_field_index(asked.field_name, made))
        self.indexes[asked.field_name] = params
        return None

    def upsert(self, body: object) -> object:
        points = models.PointsList.model_validate(body).points
        kept = [edge.Point(point.id, cast("Any", point.vector), point.payload) for point in points]
        self.shard.update(edge.UpdateOperation.upsert_points(kept))
        return None

    def delete(self, body: object) -> object:
        if "filter" in cast("dict[str, object]", body):
            operation = edge.UpdateOperation.delete_points_by_filter(
                filter_of(models.FilterSelector.model_validate(body).filter)
            )
        else:
            operation = edge.UpdateOperation.delete_points(models.PointIdsList.model_validate(body).points)
        self.shard.update(operation)
        return None

    def query(self, body: object) -> object:
        asked = models.QueryRequest.model_validate(body)
        assert isinstance(asked.query, list) and asked.using and asked.limit and asked.filter
        request = edge.QueryRequest(
            query=edge.Query.Nearest(cast("Any", asked.query), using=asked.using),
            filter=filter_of(asked.filter),
            limit=asked.limit,
            params=edge.SearchParams(exact=bool(asked.params and asked.params.exact)),
            with_payload=cast("Any", asked.with_payload),
        )
        return {"points": [_scored(point) for point in self.shard.query(request)]}

    def points(self, body: object) -> object:
        asked = models.PointRequest.model_validate(body)
        found = self.shard.retrieve(asked.ids, cast("Any", asked.with_payload), cast("Any", asked.with_vector))
        return [
            _dumped(models.Record(id=str(each.id), payload=each.payload, vector=cast("Any", each.vector)))
            for each in found
        ]


class Handler(Answering):
    def do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        qdrant = cast("Qdrant", self.server.receiver)
        status, said = qdrant.answer(self.command, self.path, self.headers.get("api-key", ""), body)
        self.say(status, said)

    do_GET = do_PUT = do_POST = do


class Qdrant(HTTPReceiver):
    """`key`: who has another is turned away. `instead`: what is answered to all, if it is set."""

    handler = Handler

    def __init__(self, *, key: str = "", indexing_threshold: int | None = None) -> None:
        super().__init__()
        self.key = key
        self.instead: Answered | None = None
        self.asked: list[tuple[str, Any]] = []
        self.collections: dict[str, Collection] = {}
        self._indexing_threshold = indexing_threshold
        self._lock = threading.Lock()

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        for collection in self.collections.values():
            collection.close()

    def empty(self) -> None:
        """Forget all points; collections take long to make."""
        for collection in self.collections.values():
            collection.shard.update(edge.UpdateOperation.delete_points_by_filter(edge.Filter()))
        self.asked.clear()
        self.instead = None

    def answer(self, method: str, path: str, key: str, body: bytes) -> Answered:
        if self.instead is not None:
            return self.instead
        if key != self.key:
            return 401, f"Must provide an API key, not {key}".encode()
        try:
            with self._lock:
                return 200, self._do(method, path, json.loads(body) if body else None)
        except Refused as refused:
            return refused.status, {"status": {"error": str(refused)}, "time": 0.001}
        except ValidationError as error:
            return 400, {"status": {"error": f"Format error in JSON body: {error}"}, "time": 0.001}
        except Exception as error:  # of the engine
            return 400, {"status": {"error": f"Wrong input: {error}"}, "time": 0.001}

    def _do(self, method: str, path: str, body: Any) -> object:
        path, _, options = path.partition("?")
        _, root, name, *rest = path.split("/")
        assert root == "collections"
        self.asked.append((f"{method} /{'/'.join(rest)}", body))
        if method == "PUT" and not rest:
            return self._result(self._create(name, body))
        if name not in self.collections:
            raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
        collection = self.collections[name]
        calls: Mapping[tuple[str, ...], Callable[[Any], object]] = {
            ("GET",): lambda _: collection.info(),
            ("PUT", "index"): collection.index,
            ("PUT", "points"): collection.upsert,
            ("POST", "points", "delete"): collection.delete,
            ("POST", "points", "query"): collection.query,
            ("POST", "points"): collection.points,
        }
        done = calls[method, *rest](body)
        if done is None:  # a change
            done = {"operation_id": 1, "status": "completed" if options == "wait=true" else "acknowledged"}
        return self._result(done)

    def _result(self, result: object) -> object:
        return {"result": result, "status": "ok", "time": 0.001}

    def _create(self, name: str, body: object) -> object:
        if name in self.collections:
            raise Refused(409, f"Wrong input: Collection `{name}` already exists!")
        self.collections[name] = Collection(models.CreateCollection.model_validate(body), self._indexing_threshold)
        return True


def filter_of(given: models.Filter) -> edge.Filter:
    assert given.should is None and given.min_should is None
    return edge.Filter(must=_conditions(given.must), must_not=_conditions(given.must_not))


def _conditions(given: Any) -> list[Any]:
    return [_condition(each) for each in given or ()]


def _condition(given: Any) -> edge.FieldCondition:
    assert isinstance(given, models.FieldCondition)
    match given.match:
        case models.MatchValue():
            return edge.FieldCondition(given.key, match=edge.MatchValue(given.match.value))
        case models.MatchAny():
            return edge.FieldCondition(given.key, match=edge.MatchAny(cast("Any", given.match.any)))
        case _:
            assert isinstance(given.range, models.Range)
            return edge.FieldCondition(given.key, range=edge.RangeFloat(**given.range.model_dump()))


def _vector_params(params: models.VectorParams) -> edge.EdgeVectorParams:
    hnsw = params.hnsw_config and edge.HnswIndexConfig(
        m=params.hnsw_config.m or 0, ef_construct=100, full_scan_threshold=10
    )
    distance = getattr(edge.Distance, params.distance.value)
    return edge.EdgeVectorParams(size=params.size, distance=distance, on_disk=params.on_disk, hnsw_config=hnsw)


def _kind(params: Any) -> str:
    return str(params.type.value)


def _scored(point: edge.ScoredPoint) -> object:
    return _dumped(
        models.ScoredPoint(id=str(point.id), version=point.version, score=point.score, payload=point.payload)
    )


def _dumped(model: Any) -> object:
    return model.model_dump(exclude_none=True, mode="json")
