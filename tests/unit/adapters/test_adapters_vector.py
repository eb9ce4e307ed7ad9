"""The vectors of this process: the contract, and what is its own."""

from __future__ import annotations

import asyncio
import random
from contextlib import AbstractAsyncContextManager

import pytest
from oneiric.adapters.vector import Point, VectorMisconfigured, Vectors, WrongDimension
from oneiric.adapters.vector.memory import MemoryVectors
from oneiric.testing.contracts import VectorContract, started


class TestMemoryVectors(VectorContract):
    def fresh(self) -> AbstractAsyncContextManager[Vectors]:
        return started(MemoryVectors())


class TestMemoryVectorsOfADimension(VectorContract):
    def fresh(self) -> AbstractAsyncContextManager[Vectors]:
        return started(MemoryVectors(dimension=3))


@pytest.mark.parametrize("dimension", [0, -1, 16_001])
def test_a_dimension_without_sense_is_refused(dimension: int) -> None:
    with pytest.raises(VectorMisconfigured) as caught:
        MemoryVectors(dimension=dimension)
    assert caught.value.setting == "dimension"


def test_a_dimension_that_is_stated_holds_for_the_first_vector() -> None:
    async def main() -> None:
        vectors = MemoryVectors(dimension=4)
        with pytest.raises(WrongDimension):
            await vectors.upsert([Point("a", [1, 2, 3])])

    asyncio.run(main())


def test_a_query_lets_others_run_and_sees_what_was_there_when_it_began() -> None:
    async def main() -> None:
        vectors = MemoryVectors()
        chance = random.Random(7)
        await vectors.upsert([Point(f"{number}", [chance.random(), 1.0]) for number in range(2000)])
        query = asyncio.create_task(vectors.query([0.0, 1.0], limit=1000))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not query.done()
        await vectors.clear()
        assert len(await query) == 1000
        assert await vectors.query([0.0, 1.0]) == []

    asyncio.run(main())
