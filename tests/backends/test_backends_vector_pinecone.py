"""The vectors of Pinecone: the contracts, and what is its own, on a server that is written here."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from pathlib import Path
from typing import Any

import pytest
from oneiric import Secret
from oneiric.adapters.vector import (
    InvalidPoint,
    Point,
    VectorError,
    VectorMisconfigured,
    VectorRefused,
    Vectors,
    VectorUnavailable,
)
from oneiric.adapters.vector.pinecone import PineconeVectors
from oneiric.testing.contracts import NetworkedVectorContract, VectorContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run
from oneiric.testing.contracts.vector import DIMENSION, EAST, found

from tests.backends.activation import Provider, UnreachableCases
from tests.backends.harness.servers import Address
from tests.backends.pinecone import INDEX, Pinecone

KEY = "pcsk_open_sesame"


@pytest.fixture(name="pinecone")
def a_pinecone() -> Generator[Pinecone, None, None]:
    with Pinecone(key=KEY, dimension=DIMENSION) as pinecone:
        yield pinecone


def vectors(pinecone: Pinecone, **settings: Any) -> PineconeVectors:
    given: dict[str, Any] = {"index": INDEX, "api_key": Secret(KEY), "base_url": pinecone.url}
    return PineconeVectors(**{**given, **settings})


class OnPinecone:
    @pytest.fixture(autouse=True)
    def server(self, pinecone: Pinecone) -> None:
        self.pinecone = pinecone

    async def settled(self, vectors: Vectors) -> None:
        self.pinecone.settle()


class TestPineconeVectors(OnPinecone, VectorContract):
    def fresh(self) -> AbstractAsyncContextManager[Vectors]:
        return self.on_an_index_that_is_used()

    @asynccontextmanager
    async def on_an_index_that_is_used(self) -> AsyncGenerator[Vectors, None]:
        """By others, in the namespace that has no name there, and in one that is called as one of the cases."""
        for name in ("__default__", "", "one"):
            self.pinecone.namespaces[name] = {"other": {"id": "other", "values": EAST, "metadata": {}}}
        async with started(vectors(self.pinecone)) as component:
            yield component


class TestPineconeFaults(OnPinecone, NetworkedVectorContract):
    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(Address(self.pinecone.host, self.pinecone.port))

    @contextmanager
    def private(self) -> Generator[Pinecone, None, None]:
        yield self.pinecone

    def component(self, host: str, port: int, key: str = KEY) -> PineconeVectors:
        times = {"timeout": TIMEOUT, "healthcheck_timeout": TIMEOUT, "max_connections": CONNECTIONS}
        return vectors(self.pinecone, base_url=f"http://{host}:{port}", api_key=Secret(key), **times)

    @contextmanager
    def refused(self) -> Generator[PineconeVectors, None, None]:
        yield self.component(self.pinecone.host, self.pinecone.port, SECRET)

    def senseless(self) -> Sequence[tuple[str, Callable[[], PineconeVectors]]]:
        def of(setting: str, **settings: Any) -> tuple[str, Callable[[], PineconeVectors]]:
            given: dict[str, Any] = {"index": INDEX, "api_key": Secret(KEY), **settings}
            return setting, lambda: PineconeVectors(**given)

        return [
            *(of("index", index=name) for name in ("", "a b", "A", "a_b", "ä", "i" * 46, "a\n")),
            of("base_url", base_url=""),
            of("base_url", base_url=f"http://u:{SECRET}@x"),
            of("api_key", api_key=Secret("")),
            of("api_key", api_key=Secret(f"{SECRET}\n")),
            of("ca_file", ca_file=Path("/no/such/ca.pem")),
            of("timeout", timeout=0),
            of("healthcheck_timeout", healthcheck_timeout=float("nan")),
            of("max_connections", max_connections=0),
        ]


class TestActivation(UnreachableCases):
    provider = Provider(
        "vector",
        "pinecone",
        "",
        "base_url",
        {"base_url": "http://127.0.0.1:PORT", "index": INDEX, "api_key": "${PROBE_SECRET}"},
        secret=KEY,
    )


async def with_started(pinecone: Pinecone, case: Callable[[PineconeVectors], Awaitable[None]], **settings: Any) -> None:
    async with started(vectors(pinecone, **settings)) as component:
        await case(component)


async def nothing(component: PineconeVectors) -> None:
    pass


def test_what_is_written_is_found_a_while_later(pinecone: Pinecone) -> None:
    async def case(component: PineconeVectors) -> None:
        await component.upsert([Point("a", EAST)])
        assert (await found(component), await component.get(["a"])) == ([], [])
        pinecone.settle()
        await component.delete(["a"])
        assert await found(component) == ["a"]
        pinecone.settle()
        assert await found(component) == []

    run(with_started(pinecone, case))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"v": {"type": "dense_vector", "metric": "dotproduct", "dimension": 3}}, "dense_vector dotproduct"),
        ({"v": {"type": "sparse_vector"}}, "sparse_vector None"),
        ({"text": {"type": "string"}}, "of cosine: none"),
        ({n: {"type": "dense_vector", "metric": "cosine", "dimension": 3} for n in "vw"}, "not one dense of cosine"),
    ],
    ids=["dotproduct", "sparse", "none", "two"],
)
def test_an_index_of_something_else_is_refused(pinecone: Pinecone, fields: Any, says: str) -> None:
    pinecone.fields = fields
    with pytest.raises(VectorMisconfigured, match=says) as caught:
        run(with_started(pinecone, nothing))
    assert caught.value.setting == "index"


def test_an_index_that_is_not_there_or_not_ready(pinecone: Pinecone) -> None:
    with pytest.raises(VectorMisconfigured, match="the project has no index another") as caught:
        run(with_started(pinecone, nothing, index="another"))
    assert caught.value.setting == "index"
    pinecone.ready = False
    with pytest.raises(VectorUnavailable, match=r"the index shop-1 is not ready \(setting index\)"):
        run(with_started(pinecone, nothing))


def test_much_is_sent_and_got_in_several_requests(pinecone: Pinecone) -> None:
    async def case(component: PineconeVectors) -> None:
        many = [Point(f"{n}", tuple(EAST)) for n in range(1100)]
        large = [Point(f"large {n}", tuple(EAST), {"text": "x" * 40_000}) for n in range(60)]
        await component.upsert(many)
        await component.upsert(large)
        pinecone.settle()
        assert [len(asked["vectors"]) for path, asked in pinecone.asked if path == "/vectors/upsert"] == [
            1000,
            100,
            49,
            11,
        ]
        assert await component.get([point.id for point in many[:250] + large]) == many[:250] + large
        await component.delete([point.id for point in many])
        pinecone.settle()
        assert len(await found(component, limit=1000)) == len(large)

    run(with_started(pinecone, case))


def test_metadata_that_are_too_large_with_what_is_added_change_nothing(pinecone: Pinecone) -> None:
    async def case(component: PineconeVectors) -> None:
        with pytest.raises(InvalidPoint, match="with the id and the names of integers"):
            await component.upsert([Point("a", EAST), Point("b", EAST, {"text": "x" * (40 * 1024 - 20)})])
        assert "/vectors/upsert" not in [path for path, _ in pinecone.asked]

    run(with_started(pinecone, case))


ANSWERS: list[tuple[Any, type[VectorError], str]] = [
    ((401, f"Invalid API Key: {KEY}".encode()), VectorRefused, "it answered 401 (setting api_key)"),
    ((403, {"message": "not of this project"}), VectorRefused, "403: not of this project (setting api_key)"),
    ((404, b"<html>"), VectorUnavailable, "it answered 404 (setting base_url)"),
    ((400, {"code": 3, "message": f"no {KEY}"}), VectorUnavailable, "it answered 400: no **** (setting base_url)"),
    ((429, {"error": {"code": "RESOURCE_EXHAUSTED", "message": "later"}}), VectorUnavailable, "it answered 429: later"),
    ((500, []), VectorUnavailable, "it answered 500"),
]


@pytest.mark.parametrize(("answer", "error", "says"), ANSWERS, ids=str)
def test_answers_that_are_none(pinecone: Pinecone, answer: Any, error: type[VectorError], says: str) -> None:
    async def case(component: PineconeVectors) -> None:
        pinecone.instead = answer
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
        pinecone.instead = None
        assert await component.health()

    run(with_started(pinecone, case))


@pytest.mark.parametrize("answer", [b"{", {"matches": [{"id": "x"}]}, {"matches": 7}], ids=str)
def test_answers_that_make_no_sense(pinecone: Pinecone, answer: Any) -> None:
    async def case(component: PineconeVectors) -> None:
        pinecone.instead = 200, answer
        with pytest.raises(VectorUnavailable, match="not JSON that makes sense"):
            await component.query(EAST)

    run(with_started(pinecone, case))


def test_records_of_others_are_not_taken_for_points(pinecone: Pinecone) -> None:
    async def case(component: PineconeVectors) -> None:
        pinecone.namespaces["oneiric-"] = {"x": {"id": "x", "values": EAST, "metadata": {"a": 1}}}
        with pytest.raises(VectorUnavailable, match="not written by this component"):
            await component.query(EAST)

    run(with_started(pinecone, case))
