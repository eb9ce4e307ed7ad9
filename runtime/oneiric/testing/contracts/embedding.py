"""The contract of the port `embedding`."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import pytest

from oneiric.adapters.embedding import (
    Embedding,
    EmbeddingClosed,
    EmbeddingError,
    EmbeddingMisconfigured,
    EmbeddingRefused,
    EmbeddingUnavailable,
    InvalidText,
    TooLong,
    of_unit_length,
)
from oneiric.testing.contracts.networked import NetworkedContract
from oneiric.testing.contracts.running import Contract, close, health
from oneiric.testing.model_server import vector_of

PATIENCE = 50.0
"""Seconds a call of these cases may take: a model shares the processor with other tests."""


class EmbeddingContract(Contract[Embedding]):
    """Cases for an embedding of any model whose component reads at most a few hundred words of a text."""

    tolerance = 1e-6
    """How far the numbers of two vectors of one text may be apart."""
    texts = 500
    """How many texts are a large call."""

    def same(self, one: Sequence[float], other: Sequence[float]) -> bool:
        return len(one) == len(other) and max(map(lambda a, b: abs(a - b), one, other)) <= self.tolerance

    def test_a_vector_has_the_length_one_and_the_dimension(self) -> None:
        async def case(embedding: Embedding) -> None:
            vectors = await embedding.embed(
                ["a", "A house by the sea.", "Ein Haus am Meer, naïve café 🎈"], timeout=PATIENCE
            )
            dimension = await embedding.dimension()
            assert [len(vector) for vector in vectors] == [dimension] * 3
            assert [math.hypot(*vector) for vector in vectors] == [pytest.approx(1, abs=1e-9)] * 3
            assert not self.same(vectors[0], vectors[1])

        self.check(case)

    def test_no_texts_have_no_vectors(self) -> None:
        async def case(embedding: Embedding) -> None:
            assert await embedding.embed([]) == []

        self.check(case)

    def test_one_alone_equals_one_in_a_batch(self) -> None:
        async def case(embedding: Embedding) -> None:
            texts = ["ice", "the sea at night " * 9, "ice", "a train that is late", "?"]
            together = await embedding.embed(texts, timeout=PATIENCE)
            for text, vector in zip(texts, together, strict=True):
                (alone,) = await embedding.embed([text], timeout=PATIENCE)
                assert self.same(alone, vector), text

        self.check(case)

    def test_many_texts_keep_their_order(self) -> None:
        async def case(embedding: Embedding) -> None:
            texts = [f"{number}" for number in range(self.texts)]
            vectors = await embedding.embed(texts, timeout=PATIENCE)
            assert len(vectors) == self.texts
            for index in (0, 1, self.texts // 2, self.texts - 1):
                (alone,) = await embedding.embed([texts[index]], timeout=PATIENCE)
                assert self.same(alone, vectors[index])

        self.check(case)

    def test_calls_at_once_get_each_its_own(self) -> None:
        async def case(embedding: Embedding) -> None:
            texts = [[f"{user} and {number}" for number in range(3)] for user in range(20)]
            found = await asyncio.gather(*(embedding.embed(each, timeout=PATIENCE) for each in texts))
            for user in (0, 7, 19):
                again = await embedding.embed(texts[user], timeout=PATIENCE)
                assert all(map(self.same, again, found[user]))

        self.check(case)

    def test_a_text_that_is_too_long_is_not_cut(self) -> None:
        async def case(embedding: Embedding) -> None:
            texts = ["short", "word " * 5000, "short too"]
            with pytest.raises(TooLong) as caught:
                await embedding.embed(texts, timeout=PATIENCE)
            assert caught.value.index == 1
            assert caught.value.provider

        self.check(case)

    @pytest.mark.parametrize(
        ("texts", "options"),
        [
            ("one text", {}),
            ([""], {}),
            (["a", 1], {}),
            (["\ud800"], {}),
            (["a"] * 10_001, {}),
            (["a"], {"timeout": 0}),
            (["a"], {"timeout": math.nan}),
            (["a"], {"timeout": 1e9}),
            (["a"], {"kind": "other"}),
        ],
        ids=["text", "empty", "number", "surrogate", "many", "now", "nan", "ever", "kind"],
    )
    def test_what_is_no_text_or_no_time_is_refused(self, texts: Any, options: Any) -> None:
        async def case(embedding: Embedding) -> None:
            with pytest.raises(InvalidText):
                await embedding.embed(texts, **options)

        self.check(case)

    def test_a_cancelled_call_holds_up_no_other(self) -> None:
        async def case(embedding: Embedding) -> None:
            for delay in (0, 0.005, 0.02):
                long = asyncio.ensure_future(embedding.embed(["a text"] * self.texts, timeout=PATIENCE))
                await asyncio.sleep(delay)
                if long.cancel() or not delay:
                    with pytest.raises(asyncio.CancelledError):
                        await long
                assert await embedding.embed(["another"], timeout=PATIENCE)

        self.check(case)

    def test_what_was_closed_says_so(self) -> None:
        async def case(embedding: Embedding) -> None:
            assert await health(embedding)
            await close(embedding)
            with pytest.raises(EmbeddingClosed):
                await embedding.embed(["a"])
            assert not await health(embedding)

        self.check(case)


class RealModelContract(Contract[Embedding]):
    """Cases for an embedding of a model that understands English."""

    def test_related_texts_are_nearer_than_unrelated_ones(self) -> None:
        async def case(embedding: Embedding) -> None:
            questions = ["How do I get my money back?", "Which trains go to the coast?", "My screen stays black."]
            answers = [
                "Refunds are paid within two weeks.",
                "There is a railway line from the capital to the seaside.",
                "If the display shows nothing, hold the power button.",
            ]
            asked = await embedding.embed(questions, kind="query", timeout=PATIENCE)
            found = await embedding.embed(answers, timeout=PATIENCE)
            for index, vector in enumerate(asked):
                near = [sum(map(lambda a, b: a * b, vector, other)) for other in found]
                assert near.index(max(near)) == index, (questions[index], near)

        self.check(case)


class NetworkedEmbeddingContract(NetworkedContract[Embedding]):
    """Cases for an embedding whose server is away or talks badly, besides those of `EmbeddingContract`.

    The server is `oneiric.testing.model_server`, with its model `fine`.
    """

    base = EmbeddingError
    unavailable = EmbeddingUnavailable
    refusal = EmbeddingRefused
    misconfigured = EmbeddingMisconfigured

    async def use(self, component: Embedding, number: int = 0) -> None:
        texts = [f"number {number}", "for all"]
        assert await component.embed(texts) == [of_unit_length(vector_of(text)) for text in texts]

    async def patiently(self, component: Embedding, number: int) -> None:
        """Its server is a process beside the case: on a busy machine it may need more than `TIMEOUT`."""
        await self.recovers(component, number)
