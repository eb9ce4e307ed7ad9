"""The vectors of a Qdrant server: the contracts, and what is its own, on a server that has Qdrant's engine."""

from __future__ import annotations

import asyncio
import random
from array import array
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    contextmanager,
    nullcontext,
)
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from oneiric import Secret
from oneiric.adapters.vector import (
    Point,
    VectorError,
    VectorMisconfigured,
    VectorRefused,
    Vectors,
    VectorUnavailable,
)
from oneiric.adapters.vector.qdrant import QdrantVectors
from oneiric.testing.contracts import NetworkedVectorContract, VectorContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run
from oneiric.testing.contracts.vector import DIMENSION, EAST, cosine, found

from tests.backends.activation import Provider, UnreachableCases
from tests.backends.harness.servers import Address
from tests.backends.qdrant import Qdrant

KEY = "open sesame"


@pytest.fixture(scope="module", name="served")
def a_server() -> Iterator[Qdrant]:
    with Qdrant(key=KEY) as qdrant:
        yield qdrant


@pytest.fixture(name="qdrant")
def an_empty_one(served: Qdrant) -> Qdrant:
    served.empty()
    return served


def vectors(qdrant: Qdrant, **settings: Any) -> QdrantVectors:
    given: dict[str, Any] = {"dimension": DIMENSION, "url": qdrant.url, "api_key": Secret(KEY)}
    return QdrantVectors(**{**given, **settings})


class TestQdrantVectors(VectorContract):
    @pytest.fixture(autouse=True)
    def server(self, qdrant: Qdrant) -> None:
        self.qdrant = qdrant

    def fresh(self) -> AbstractAsyncContextManager[Vectors]:
        return started(vectors(self.qdrant))


class TestQdrantFaults(NetworkedVectorContract):
    @pytest.fixture(autouse=True)
    def server(self, qdrant: Qdrant) -> None:
        self.qdrant = qdrant
        prepare(qdrant)

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(Address(self.qdrant.host, self.qdrant.port))

    @contextmanager
    def private(self) -> Generator[Qdrant, None, None]:
        with Qdrant(key=KEY) as qdrant:
            prepare(qdrant)
            yield qdrant

    def component(self, host: str, port: int, key: Secret | None = None) -> QdrantVectors:
        times = {"timeout": TIMEOUT, "healthcheck_timeout": TIMEOUT, "max_connections": CONNECTIONS}
        return vectors(self.qdrant, url=f"http://{host}:{port}", api_key=key or Secret(KEY), **times)

    @contextmanager
    def refused(self) -> Generator[QdrantVectors, None, None]:
        yield self.component(self.qdrant.host, self.qdrant.port, Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], QdrantVectors]]]:
        def of(setting: str, **settings: Any) -> tuple[str, Callable[[], QdrantVectors]]:
            given: dict[str, Any] = {"dimension": DIMENSION, **settings}
            return setting, lambda: QdrantVectors(**given)

        return [
            of("dimension", dimension=0),
            of("dimension", dimension=16_001),
            *(of("collection", collection=name) for name in ("", "a b", "a/b", "a.b", "ä", "c" * 129, "a\n")),
            of("url", url=""),
            of("url", url=f"http://u:{SECRET}@x"),
            of("api_key", api_key=Secret("")),
            of("api_key", api_key=Secret(f"{SECRET}\n")),
            of("ca_file", ca_file=Path("/no/such/ca.pem")),
            of("timeout", timeout=0),
            of("healthcheck_timeout", healthcheck_timeout=float("nan")),
            of("max_connections", max_connections=0),
        ]


class TestActivation(UnreachableCases):
    provider = Provider("vector", "qdrant", "", "url", {"url": "http://127.0.0.1:PORT", "dimension": DIMENSION})


def prepare(qdrant: Qdrant) -> None:
    """Make the collection, for which the timeouts of the faults are short."""
    run(with_started(qdrant, nothing))


async def with_started(qdrant: Qdrant, case: Callable[[QdrantVectors], Awaitable[None]], **settings: Any) -> None:
    async with started(vectors(qdrant, **settings)) as component:
        await case(component)


async def nothing(component: QdrantVectors) -> None:
    pass


def test_a_collection_of_another_dimension_is_refused(qdrant: Qdrant) -> None:
    async def main() -> None:
        await with_started(qdrant, nothing)
        with pytest.raises(VectorMisconfigured, match="of collection oneiric_vectors have 3 numbers, not 4") as caught:
            await with_started(qdrant, nothing, dimension=4)
        assert caught.value.setting == "dimension"

    run(main())


@pytest.mark.parametrize(
    "kept",
    [
        {"size": 3, "distance": "Cosine"},
        {"direction": {"size": 3, "distance": "Cosine"}, "given": {"size": 3, "distance": "Dot"}},
        {"direction": {"size": 3, "distance": "Dot"}},
    ],
)
def test_a_collection_of_something_else_is_refused(qdrant: Qdrant, kept: object) -> None:
    qdrant.instead = 200, {"result": {"config": {"params": {"vectors": kept}}, "payload_schema": {}}}

    async def main() -> None:
        with pytest.raises(VectorMisconfigured, match="a collection of something else") as caught:
            await with_started(qdrant, nothing)
        assert caught.value.setting == "collection"

    run(main())


def test_many_that_start_at_once_make_one_collection(qdrant: Qdrant) -> None:
    name = f"at-once-{uuid4().hex}"

    async def main() -> None:
        await asyncio.gather(*(with_started(qdrant, nothing, collection=name) for _ in range(5)))
        assert qdrant.collections[name].indexes.keys() == {"namespace", "terms"}
        qdrant.asked.clear()
        await with_started(qdrant, nothing, collection=name)
        assert [call for call, _ in qdrant.asked] == ["GET /"]

    run(main())


def test_vectors_of_every_length_are_found_and_got_as_they_were(qdrant: Qdrant) -> None:
    async def case(component: QdrantVectors) -> None:
        lengths = [2e-15, 1e-4, 1.0, 3.0, 5e14]
        kept = [Point(f"{length}", [0.6 * length, 0.8 * length, 0.0]) for length in lengths]
        await component.upsert(kept)
        matches = await component.query([1.2e-15, 1.6e-15, 0.0])
        assert {match.id for match in matches} == {point.id for point in kept}
        assert [match.score for match in matches] == pytest.approx([1.0] * len(kept), abs=1e-6)
        got = await component.get([point.id for point in kept])
        assert [point.vector for point in got] == [tuple(array("f", point.vector)) for point in kept]
        [(_, sent)] = [each for each in qdrant.asked if each[0] == "PUT /points"]
        assert [
            f"{length}" for length, point in zip(lengths, sent["points"], strict=True) if "given" not in point["vector"]
        ] == ["1.0"]

    run(with_started(qdrant, case))


def test_what_few_meet_is_found_through_the_index() -> None:
    async def case(component: QdrantVectors) -> None:
        chance = random.Random(7)
        points = [
            Point(f"{n}", [chance.gauss(0, 1) for _ in range(DIMENSION)], {"rare": n % 500 == 0, "n": n})
            for n in range(3000)
        ]
        await component.upsert(points)
        shard = qdrant.collections["oneiric_vectors"].shard
        shard.optimize()
        assert shard.info().indexed_vectors_count >= len(points)
        wanted = sorted(points[::500], key=lambda point: -cosine(EAST, point.vector))
        for where in ({"rare": True}, {"n": {"in": [*range(0, 3000, 500)]}}):
            assert await found(component, where) == [point.id for point in wanted]
        wanted = sorted(points[:6], key=lambda point: -cosine(EAST, point.vector))
        assert await found(component, {"n": {"lt": 6}}) == [point.id for point in wanted]
        nearest = sorted(points, key=lambda point: -cosine(EAST, point.vector))[:10]
        assert len({*await found(component, limit=10)} & {point.id for point in nearest}) >= 9

    with Qdrant(key=KEY, indexing_threshold=10) as qdrant:
        run(with_started(qdrant, case))


def test_much_is_sent_and_got_in_several_requests(qdrant: Qdrant) -> None:
    async def case(component: QdrantVectors) -> None:
        points = [Point(f"{n}", EAST, {"text": "x" * 40_000}) for n in range(250)]
        await component.upsert(points)
        assert await component.get([f"{n}" for n in range(250)]) == [
            Point(p.id, tuple(EAST), p.metadata) for p in points
        ]
        calls = [call for call, _ in qdrant.asked]
        assert (calls.count("PUT /points"), calls.count("POST /points")) == (2, 3)

    run(with_started(qdrant, case))


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ((401, b"Must provide an API key"), VectorRefused, "the server answered 401 (setting api_key)"),
        (
            (403, {"status": {"error": "Forbidden: read only"}}),
            VectorRefused,
            "403: Forbidden: read only (setting api_key)",
        ),
        (
            (404, {"status": {"error": "no such collection"}}),
            VectorUnavailable,
            "404: no such collection (setting collection)",
        ),
        ((400, {"status": {"error": "Index required"}}), VectorUnavailable, "400: Index required (setting collection)"),
        ((413, b"<html>"), VectorUnavailable, "it answered 413 (setting url)"),
        ((429, {"status": {"error": "Rate limit"}}), VectorUnavailable, "it answered 429: Rate limit"),
        ((500, {"status": {"error": f"with {KEY}"}}), VectorUnavailable, "it answered 500: with ****"),
        ((503, []), VectorUnavailable, "it answered 503"),
        ((200, {"result": {"points": [{"id": 7}]}}), VectorUnavailable, "not JSON that makes sense"),
        ((200, b"{"), VectorUnavailable, "not JSON that makes sense"),
        ((200, {"result": {"status": "acknowledged"}}), VectorUnavailable, ""),
    ],
    ids=str,
)
def test_answers_that_are_none(qdrant: Qdrant, answer: Any, error: type[VectorError], says: str) -> None:
    async def case(component: QdrantVectors) -> None:
        qdrant.instead = answer
        for attempt in (
            component.query(EAST),
            component.get(["a"]),
            component.delete(["a"]),
            component.clear(),
            component.upsert([Point("a", EAST)]),
        ):
            with pytest.raises(error) as caught:
                await attempt
            assert says in str(caught.value)
        assert not await component.health()
        qdrant.instead = None
        assert await component.health()

    run(with_started(qdrant, case))


def test_a_change_that_is_not_made_yet_is_not_taken_for_made(qdrant: Qdrant) -> None:
    async def case(component: QdrantVectors) -> None:
        qdrant.instead = 200, {"result": {"operation_id": 1, "status": "acknowledged"}}
        with pytest.raises(VectorUnavailable, match="has not made it yet"):
            await component.upsert([Point("a", EAST)])

    run(with_started(qdrant, case))
