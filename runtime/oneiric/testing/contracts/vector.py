"""The contract of the port `vector`."""

from __future__ import annotations

import asyncio
import math
import random
from array import array
from collections.abc import Sequence
from typing import Any

import pytest

from oneiric.adapters.vector import (
    MAX_ID,
    MAX_LIMIT,
    MAX_METADATA,
    MAX_NUMBER,
    InvalidPoint,
    InvalidQuery,
    Metadata,
    Point,
    VectorError,
    VectorMisconfigured,
    VectorRefused,
    Vectors,
    VectorUnavailable,
    WrongDimension,
)
from oneiric.testing.contracts.networked import NetworkedContract
from oneiric.testing.contracts.running import Contract, cancelled_at_every_step, capabilities, close, health

DIMENSION = 3
"""How many numbers the vectors of the cases have."""
EAST, NORTH, UP = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]
LIBRARY = [
    Point("none", [1.0, 0.1, 0.0]),
    Point("german", [1.0, 0.2, 0.0], {"lang": "de", "year": 2019, "tags": ["a", "b"], "open": True}),
    Point("english", [1.0, 0.3, 0.0], {"lang": "en", "year": 2024, "tags": ["b", "c"], "open": False}),
    Point("half", [1.0, 0.4, 0.0], {"lang": "de", "year": 2024.5, "tags": [], "open": 1}),
    Point("text", [1.0, 0.5, 0.0], {"lang": "1", "year": "2024", "open": "true"}),
]

_NO_SCALARS: list[Any] = [None, math.nan, MAX_NUMBER + 1, "\0", "\ud800", [1], {}, b"x"]
_WRONG: list[tuple[Any, Any, Any]] = [
    *((id, EAST, {}) for id in ("", "\0", "i" * (MAX_ID + 1), "\ud800", 7, None)),
    *(("a", vector, {}) for vector in ([], [0, 0, 0], [1e-20, 0, 0], [1e39, 0, 0], [1e16, 0, 0], "123")),
    *(("a", vector, {}) for vector in ([math.nan, 1, 1], [math.inf, 1, 1], ["1", 1, 1], [None, 1, 1])),
    *(("a", EAST, {name: 1}) for name in ("", "a.b", "$a", "a b", "1a", "a" * 129, "a\0", 7)),
    *(("a", EAST, {"a": value}) for value in _NO_SCALARS),
    ("a", EAST, {"a": "x" * MAX_METADATA}),
    ("a", EAST, ["a"]),
]

_NO_FILTERS: list[Any] = [
    *("lang", ["lang"], {"a b": 1}, {"": 1}, {7: 1}),
    *({"a": condition} for condition in _NO_SCALARS),
    *({"a": {name: 1}} for name in ("eq", "$gt", "like", "in")),
    *({"a": {"gt": operand}} for operand in [*_NO_SCALARS, "1", True, math.inf]),
    *({"a": {"in": operand}} for operand in ["xyz", [None], [[1]], None]),
    *({"a": {"ne": operand}} for operand in [*_NO_SCALARS, ["x"]]),
]


def _said(value: object) -> str:
    """A case in ASCII and short: values of the cases cannot be printed, some."""
    return ascii(value)[:60] if not isinstance(value, Point) else ascii((value.id, value.vector, value.metadata))[:60]


async def found(vectors: Vectors, where: Any = None, limit: int = 100, namespace: str = "") -> list[str]:
    """The ids nearest to the east."""
    return [match.id for match in await vectors.query(EAST, limit=limit, where=where, namespace=namespace)]


class Settling:
    """What is written is found by the next call of a component with the capability `immediate`, of others later."""

    async def settled(self, vectors: Vectors) -> None:
        """Wait until what was written is found: override it for a component that needs a while."""


class VectorContract(Settling, Contract[Vectors]):
    """Cases for vectors of `DIMENSION` numbers: subclass it and override `fresh`."""

    def test_what_is_fresh_is_healthy_and_empty(self) -> None:
        async def case(vectors: Vectors) -> None:
            assert await health(vectors)
            assert await vectors.query(EAST) == []
            assert await vectors.get(["a"]) == []
            await vectors.delete(["a"])
            await vectors.clear()
            await vectors.upsert([])
            await self.settled(vectors)
            assert await vectors.get([]) == []
            await vectors.delete([])
            await self.settled(vectors)

        self.check(case)

    def test_a_point_is_got_as_it_was_kept_with_numbers_of_32_bits(self) -> None:
        async def case(vectors: Vectors) -> None:
            metadata: Metadata = {
                "text": "h\u00e9llo \N{SNOWMAN} \"'\\",
                "yes": True,
                "count": 7,
                "ratio": 0.1,
                "tags": ["a", "", "b"],
            }
            await vectors.upsert([Point("a", [0.1, -2.5, 1e-9], metadata), Point("b", NORTH)])
            await self.settled(vectors)
            a, b = await vectors.get(["a", "b"])
            assert tuple(a.vector) == tuple(array("f", [0.1, -2.5, 1e-9]))
            assert a.metadata == metadata
            assert a.metadata["yes"] is True
            assert [type(a.metadata[name]) for name in ("count", "ratio")] == [int, float]
            assert (b.id, tuple(b.vector), b.metadata) == ("b", tuple(NORTH), {})

        self.check(case)

    def test_points_are_got_in_the_order_asked_for_and_missing_ones_are_left_out(self) -> None:
        async def case(vectors: Vectors) -> None:
            await vectors.upsert([Point(id, EAST) for id in "abcde"])
            await self.settled(vectors)
            assert [point.id for point in await vectors.get(["d", "x", "a", "c"])] == ["d", "a", "c"]

        self.check(case)

    def test_the_nearest_come_first_with_the_cosine_as_score(self) -> None:
        async def case(vectors: Vectors) -> None:
            await vectors.upsert(
                [
                    Point("same", [5, 0, 0]),
                    Point("diagonal", [0.5, 0.5, 0]),
                    Point("right", UP),
                    Point("against", [-2, 0, 0]),
                ]
            )
            await self.settled(vectors)
            matches = await vectors.query([0.25, 0, 0])
            assert [match.id for match in matches] == ["same", "diagonal", "right", "against"]
            wanted = [1.0, math.sqrt(0.5), 0.0, -1.0]
            assert [match.score for match in matches] == pytest.approx(wanted, abs=1e-5)
            assert all(-1 <= match.score <= 1 for match in matches)

        self.check(case)

    def test_the_nearest_of_many_are_exactly_those(self) -> None:
        async def case(vectors: Vectors) -> None:
            chance = random.Random(7)
            points = [Point(f"{number}", [chance.gauss(0, 1) for _ in range(DIMENSION)]) for number in range(700)]
            await vectors.upsert(points)
            await self.settled(vectors)
            for _ in range(5):
                asked = [chance.gauss(0, 1) for _ in range(DIMENSION)]
                nearest = sorted(points, key=lambda point: -cosine(asked, point.vector))[:10]
                matches = await vectors.query(asked, limit=10)
                assert [match.score for match in matches] == pytest.approx(
                    [cosine(asked, point.vector) for point in nearest], abs=1e-5
                )
                assert [match.score for match in matches] == sorted((match.score for match in matches), reverse=True)

        self.check(case)

    def test_a_limit_is_kept_also_with_a_filter_that_few_meet(self) -> None:
        async def case(vectors: Vectors) -> None:
            rest = [Point(f"far {number}", [1, number / 100, 0], {"rare": number % 50 == 49}) for number in range(500)]
            await vectors.upsert(rest)
            await self.settled(vectors)
            assert await found(vectors, {"rare": True}, limit=10) == [f"far {number}" for number in range(49, 500, 50)]
            assert await found(vectors, limit=3) == ["far 0", "far 1", "far 2"]
            assert len(await found(vectors, limit=MAX_LIMIT)) == 500

        self.check(case)

    @pytest.mark.parametrize(
        ("where", "wanted"),
        [
            ({}, "none german english half text"),
            ({"lang": "de"}, "german half"),
            ({"lang": {"ne": "de"}}, "english text"),
            ({"lang": {"in": ["en", "fr"]}}, "english"),
            ({"lang": {"in": []}}, ""),
            ({"absent": "de"}, ""),
            ({"absent": {"ne": "de"}}, ""),
            ({"absent": {"lt": 7}}, ""),
            ({"year": 2024}, "english"),
            ({"year": 2024.0}, "english"),
            ({"year": {"gte": 2024}}, "english half"),
            ({"year": {"gt": 2024}}, "half"),
            ({"year": {"gt": 2018, "lt": 2024.5}}, "german english"),
            ({"year": {"lte": 2024.5, "ne": 2024}}, "german half"),
            ({"year": {"in": [2019, 2024.5]}}, "german half"),
            ({"year": {"ne": 2024}}, "german half text"),
            ({"year": "2024"}, "text"),
            ({"tags": "b"}, "german english"),
            ({"tags": {"in": ["a", "c"]}}, "german english"),
            ({"tags": {"ne": "a"}}, "english half"),
            ({"tags": {"gt": 1}}, ""),
            ({"open": True}, "german"),
            ({"open": False}, "english"),
            ({"open": 1}, "half"),
            ({"open": "true"}, "text"),
            ({"open": {"ne": True}}, "english half text"),
            ({"open": {"gte": 0}}, "half"),
            ({"open": {"in": [True, "true"]}}, "german text"),
            ({"lang": "1"}, "text"),
            ({"lang": 1}, ""),
            ({"lang": "de", "year": {"lt": 2020}}, "german"),
            ({"lang": "de' OR '1'='1"}, ""),
        ],
        ids=str,
    )
    def test_a_filter_finds_what_meets_all_its_conditions(self, where: Any, wanted: str) -> None:
        async def case(vectors: Vectors) -> None:
            await vectors.upsert(LIBRARY)
            await self.settled(vectors)
            assert await found(vectors, where) == wanted.split()

        self.check(case)

    def test_numbers_stay_what_they_are_however_large(self) -> None:
        async def case(vectors: Vectors) -> None:
            floats: Metadata = {"large": 1e300, "whole": 2.0, "round": -1e16, "tiny": 5e-324}
            metadata: Metadata = {**floats, "most": MAX_NUMBER, "least": -MAX_NUMBER}
            await vectors.upsert([Point("a", EAST, metadata)])
            await self.settled(vectors)
            [point] = await vectors.get(["a"])
            assert point.metadata == metadata
            assert {name for name, value in point.metadata.items() if isinstance(value, float)} == floats.keys()
            for name, value in metadata.items():
                assert await found(vectors, {name: value}) == ["a"], name

        self.check(case)

    def test_texts_of_a_filter_are_only_texts(self) -> None:
        async def case(vectors: Vectors) -> None:
            texts = [
                '"',
                "\\",
                '" || 1 == 1 || "',
                "$.a",
                "\n\t\x1f\x7f",
                "\N{SNOWMAN}\N{GRINNING FACE}",
                "",
                "//",
                "*/",
            ]
            await vectors.upsert([Point(f"{n}", EAST, {"a": text, "b-\u00e9": n}) for n, text in enumerate(texts)])
            await self.settled(vectors)
            for n, text in enumerate(texts):
                assert await found(vectors, {"a": text}) == [f"{n}"]
                assert await found(vectors, {"a": {"in": [text]}, "b-\u00e9": {"lte": n}}) == [f"{n}"]

        self.check(case)

    def test_a_match_has_the_metadata(self) -> None:
        async def case(vectors: Vectors) -> None:
            await vectors.upsert(LIBRARY)
            await self.settled(vectors)
            [match] = await vectors.query(EAST, where={"lang": "en"})
            assert match.metadata == LIBRARY[2].metadata

        self.check(case)

    def test_a_replacement_drops_vector_and_metadata(self) -> None:
        async def case(vectors: Vectors) -> None:
            await vectors.upsert([Point("a", EAST, {"old": 1, "both": "x"})])
            await vectors.upsert([Point("a", NORTH, {"both": "y"})])
            await self.settled(vectors)
            [point] = await vectors.get(["a"])
            assert point.metadata == {"both": "y"}
            assert tuple(point.vector) == tuple(NORTH)
            assert await found(vectors, {"old": 1}) == []
            assert [match.score for match in await vectors.query(EAST)] == pytest.approx([0], abs=1e-6)

        self.check(case)

    def test_what_a_caller_changes_afterwards_is_not_what_is_kept(self) -> None:
        async def case(vectors: Vectors) -> None:
            vector, tags = list(EAST), ["a"]
            metadata: dict[str, Any] = {"tags": tags}
            await vectors.upsert([Point("a", vector, metadata)])
            await self.settled(vectors)
            vector[0], metadata["more"] = 9.0, 1
            tags.append("b")
            got: Any = (await vectors.get(["a"]))[0]
            got.metadata["tags"].append("c")
            [point] = await vectors.get(["a"])
            assert (tuple(point.vector), point.metadata) == (tuple(EAST), {"tags": ["a"]})

        self.check(case)

    def test_namespaces_are_apart(self) -> None:
        async def case(vectors: Vectors) -> None:
            await vectors.upsert([Point("a", EAST, {"in": "none"}), Point("b", EAST)])
            await vectors.upsert([Point("a", NORTH, {"in": "one"})], namespace="one")
            await vectors.upsert([Point("a", UP, {"in": "two"})], namespace="tw.o-2_")
            await self.settled(vectors)
            assert await found(vectors, namespace="one") == ["a"]
            assert sorted(await found(vectors)) == ["a", "b"]
            assert await vectors.get(["b"], namespace="one") == []
            await vectors.delete(["b"], namespace="one")
            await vectors.clear(namespace="one")
            await self.settled(vectors)
            assert await found(vectors, namespace="one") == []
            assert len(await vectors.get(["a", "b"])) == 2
            assert [point.metadata for point in await vectors.get(["a"], namespace="tw.o-2_")] == [{"in": "two"}]
            await vectors.clear()
            await self.settled(vectors)
            assert await vectors.get(["a", "b"]) == []
            assert await found(vectors, namespace="tw.o-2_") == ["a"]

        self.check(case)

    def test_what_is_deleted_is_gone_and_the_rest_stays(self) -> None:
        async def case(vectors: Vectors) -> None:
            await vectors.upsert(LIBRARY)
            await vectors.delete(["none", "half", "absent"])
            await self.settled(vectors)
            assert await found(vectors) == ["german", "english", "text"]
            assert await vectors.get(["none", "half"]) == []

        self.check(case)

    @pytest.mark.parametrize(
        "id", ["a", " ", "a b/c?d#e%", "\u043a\u043b", "\N{SNOWMAN}", "line\nend", "'; --", "i" * MAX_ID]
    )
    def test_every_text_can_be_an_id(self, id: str) -> None:
        async def case(vectors: Vectors) -> None:
            await vectors.upsert([Point(id, EAST), Point("another", NORTH)])
            await self.settled(vectors)
            assert await found(vectors, limit=1) == [id]
            assert [point.id for point in await vectors.get([id])] == [id]
            await vectors.delete([id])
            await self.settled(vectors)
            assert await found(vectors) == ["another"]

        self.check(case)

    @pytest.mark.parametrize("point", [Point(*wrong) for wrong in _WRONG], ids=_said)
    def test_what_is_no_point_is_refused_and_nothing_is_changed(self, point: Point) -> None:
        async def case(vectors: Vectors) -> None:
            await vectors.upsert([Point("a", EAST, {"old": 1})])
            await self.settled(vectors)
            with pytest.raises(InvalidPoint):
                await vectors.upsert([Point("new", EAST), point])
            assert await found(vectors) == ["a"]

        self.check(case)

    def test_two_points_of_one_id_are_refused(self) -> None:
        async def case(vectors: Vectors) -> None:
            with pytest.raises(InvalidPoint):
                await vectors.upsert([Point("a", EAST), Point("a", NORTH)])
            assert await found(vectors) == []

        self.check(case)

    def test_another_dimension_is_refused_and_nothing_is_changed(self) -> None:
        async def case(vectors: Vectors) -> None:
            await vectors.upsert([Point("a", EAST)])
            await self.settled(vectors)
            for vector in ([1.0], [*EAST, 1.0]):
                with pytest.raises(WrongDimension) as caught:
                    await vectors.upsert([Point("new", EAST), Point("b", vector)])
                assert (caught.value.given, caught.value.wanted) == (len(vector), DIMENSION)
                with pytest.raises(WrongDimension):
                    await vectors.upsert([Point("new", vector)], namespace="another")
                with pytest.raises(WrongDimension):
                    await vectors.query(vector)
            assert await found(vectors) == ["a"]

        self.check(case)

    @pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1, 1.0, True, None])
    def test_what_is_no_limit_is_refused(self, limit: Any) -> None:
        async def case(vectors: Vectors) -> None:
            with pytest.raises(InvalidQuery):
                await vectors.query(EAST, limit=limit)

        self.check(case)

    @pytest.mark.parametrize("where", _NO_FILTERS, ids=_said)
    def test_what_is_no_filter_is_refused(self, where: Any) -> None:
        async def case(vectors: Vectors) -> None:
            with pytest.raises(InvalidQuery):
                await vectors.query(EAST, where=where)

        self.check(case)

    @pytest.mark.parametrize("namespace", ["a b", "a/b", "\u00e9", "n" * 65, "a\n", None])
    def test_what_is_no_namespace_is_refused(self, namespace: Any) -> None:
        async def case(vectors: Vectors) -> None:
            for attempt in (
                vectors.upsert([Point("a", EAST)], namespace=namespace),
                vectors.query(EAST, namespace=namespace),
                vectors.get(["a"], namespace=namespace),
                vectors.delete(["a"], namespace=namespace),
                vectors.clear(namespace=namespace),
            ):
                with pytest.raises(InvalidPoint):
                    await attempt

        self.check(case)

    def test_one_text_is_no_list_of_ids(self) -> None:
        async def case(vectors: Vectors) -> None:
            await vectors.upsert([Point("a", EAST)])
            await self.settled(vectors)
            with pytest.raises(InvalidPoint):
                await vectors.delete("a")
            with pytest.raises(InvalidPoint):
                await vectors.get("a")
            assert await found(vectors) == ["a"]

        self.check(case)

    def test_what_is_written_is_found_at_once_where_that_is_said(self) -> None:
        async def case(vectors: Vectors) -> None:
            if "immediate" not in capabilities(vectors):
                return
            for number in range(20):
                await vectors.upsert([Point("a", EAST, {"n": number})])
                assert await found(vectors, {"n": number}) == ["a"]
                assert [point.metadata for point in await vectors.get(["a"])] == [{"n": number}]
                await vectors.delete(["a"])
                assert await found(vectors) == []

        self.check(case)

    def test_fifty_writers_at_once_lose_nothing(self) -> None:
        async def case(vectors: Vectors) -> None:
            async def write(number: int) -> None:
                await vectors.upsert(
                    [Point(f"own {number}", EAST, {"n": number}), Point("shared", EAST, {"n": number})]
                )
                await self.settled(vectors)
                assert [point.metadata for point in await vectors.get([f"own {number}"])] == [{"n": number}]

            await asyncio.gather(*(write(number) for number in range(50)))
            assert len(await found(vectors)) == 51

        self.check(case)

    def test_a_cancelled_call_leaves_what_works(self) -> None:
        async def work(vectors: Vectors) -> None:
            await vectors.upsert([Point("a", EAST)])
            await vectors.query(EAST)
            await vectors.delete(["a"])

        async def case(vectors: Vectors) -> None:
            async for _ in cancelled_at_every_step(lambda: work(vectors)):
                assert await found(vectors) in ([], ["a"])

        self.check(case)

    def test_what_is_closed_refuses_every_call(self) -> None:
        async def case(vectors: Vectors) -> None:
            await close(vectors)
            await close(vectors)
            for attempt in (
                vectors.upsert([Point("a", EAST)]),
                vectors.query(EAST),
                vectors.get(["a"]),
                vectors.delete(["a"]),
                vectors.clear(),
            ):
                with pytest.raises(VectorError):
                    await attempt
            assert not await health(vectors)

        self.check(case)


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of the angle between two vectors."""
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)


class NetworkedVectorContract(Settling, NetworkedContract[Vectors]):
    """Cases for vectors behind a network, besides those of `VectorContract`."""

    base = VectorError
    unavailable = VectorUnavailable
    refusal = VectorRefused
    misconfigured = VectorMisconfigured

    async def use(self, component: Vectors, number: int = 0) -> None:
        namespace = f"number-{number}"
        await component.upsert([Point("a", EAST, {"number": number})], namespace=namespace)
        await self.settled(component)
        assert [match.metadata for match in await component.query(EAST, namespace=namespace)] == [{"number": number}]
