"""`embedding/openai` on a server of llama.cpp, and on one that answers as badly as it is asked to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from oneiric import Secret
from oneiric.adapters.embedding import (
    Embedding,
    EmbeddingError,
    EmbeddingMisconfigured,
    EmbeddingRefused,
    EmbeddingUnavailable,
    InvalidText,
    RateLimited,
    TooLong,
    of_unit_length,
)
from oneiric.adapters.embedding.openai import OpenAIEmbedding
from oneiric.testing.contracts import EmbeddingContract, NetworkedEmbeddingContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.model_server import DIMENSION, WORDS, vector_of

from tests.backends.activation import Provider, UnreachableCases
from tests.backends.harness.kinds import LLAMA_KEY, MODELS
from tests.backends.harness.servers import Address, Server, private


class TestOpenAIEmbedding(EmbeddingContract):
    """The server is llama.cpp."""

    tolerance = 0.002  # what is worked on beside a text changes the order of its sums

    @pytest.fixture(autouse=True)
    def server(self, llama_embed: Address) -> None:
        self.address = llama_embed

    def fresh(self) -> AbstractAsyncContextManager[Embedding]:
        return started(self.component())

    def component(self, **settings: Any) -> OpenAIEmbedding:
        url = f"http://{self.address.host}:{self.address.port}/v1"
        given: dict[str, Any] = {"model": "tiny", "base_url": url, "api_key": Secret(LLAMA_KEY)}
        return OpenAIEmbedding(**{**given, "healthcheck_timeout": 30.0, **settings})

    def test_a_wrong_key_is_refused_by_a_real_server(self) -> None:
        async def main() -> None:
            with pytest.raises(EmbeddingRefused) as caught:
                async with started(self.component(api_key=Secret(SECRET))):
                    pass
            assert caught.value.setting == "api_key"

        asyncio.run(main())


class Models:
    @pytest.fixture(autouse=True)
    def server(self, models: Address) -> None:
        self.address = models

    def component(self, **settings: Any) -> OpenAIEmbedding:
        url = f"http://{self.address.host}:{self.address.port}/v1"
        return OpenAIEmbedding(**{"model": "fine", "base_url": url, "healthcheck_timeout": 30.0, **settings})


class TestByTheRules(Models, EmbeddingContract):
    def fresh(self) -> AbstractAsyncContextManager[Embedding]:
        return started(self.component())


class TestFaults(NetworkedEmbeddingContract):
    @pytest.fixture(autouse=True)
    def server(self, models: Address) -> None:
        self.address = models

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.address)

    def private(self) -> AbstractContextManager[Server]:
        return private(MODELS)

    def component(self, host: str, port: int, key: Secret | None = None) -> OpenAIEmbedding:
        return OpenAIEmbedding(
            model="fine",
            base_url=f"http://{host}:{port}/v1",
            api_key=key,
            timeout=TIMEOUT,
            healthcheck_timeout=TIMEOUT,
            max_connections=CONNECTIONS,
        )

    @contextmanager
    def refused(self) -> Generator[OpenAIEmbedding, None, None]:
        def program(python: str, folder: Path, port: int) -> Sequence[str]:
            return [*MODELS.program(python, folder, port), "another"]

        with private(replace(MODELS, program=program)) as server:
            yield self.component(server.host, server.port, Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], OpenAIEmbedding]]]:
        new = OpenAIEmbedding
        return [
            ("model", lambda: new(model="")),
            ("api_key", lambda: new(api_key=Secret(""))),
            ("api_key", lambda: new(api_key=Secret(f"{SECRET}\n"))),
            ("base_url", lambda: new(base_url="localhost:80")),
            ("base_url", lambda: new(base_url="ftp://localhost")),
            ("base_url", lambda: new(base_url="http://localhost:99999")),
            ("base_url", lambda: new(base_url=f"http://a:{SECRET}@localhost")),
            ("base_url", lambda: new(base_url=f"http://localhost/v1?key={SECRET}")),
            ("base_url", lambda: new(base_url="http://localhost/a b")),
            ("organization", lambda: new(organization="a\nb")),
            ("dimensions", lambda: new(dimensions=0)),
            ("batch_size", lambda: new(batch_size=0)),
            ("batch_size", lambda: new(batch_size=2049)),
            ("ca_file", lambda: new(ca_file=Path("/no/such/ca.pem"))),
            ("timeout", lambda: new(timeout=0)),
            ("healthcheck_timeout", lambda: new(healthcheck_timeout=-1)),
            ("max_connections", lambda: new(max_connections=0)),
        ]


class TestAnswers(Models):
    def run(self, case: Callable[[OpenAIEmbedding], Any], **settings: Any) -> None:
        async def main() -> None:
            async with started(self.component(**settings)) as embedding:
                await case(embedding)

        asyncio.run(main())

    @pytest.mark.parametrize(
        ("model", "error", "setting"),
        [
            ("status-400", InvalidText, "model"),
            ("status-401", EmbeddingRefused, "api_key"),
            ("status-403", EmbeddingRefused, "api_key"),
            ("status-404", EmbeddingMisconfigured, "model"),
            ("no-such", EmbeddingMisconfigured, "model"),
            ("status-429", RateLimited, "api_key"),
            ("status-500", EmbeddingUnavailable, "base_url"),
            ("status-503", EmbeddingUnavailable, "base_url"),
            ("status-302", EmbeddingUnavailable, "base_url"),
            ("in-200", EmbeddingUnavailable, "base_url"),
            ("few", EmbeddingUnavailable, "base_url"),
            ("flat", EmbeddingUnavailable, "base_url"),
        ],
    )
    def test_what_is_no_answer_is_the_error_for_it(self, model: str, error: type[EmbeddingError], setting: str) -> None:
        async def case(embedding: OpenAIEmbedding) -> None:
            for texts in (["a"], ["a"] * 5):
                with pytest.raises(error) as caught:
                    await embedding.embed(texts)
                assert type(caught.value) is error
                assert (caught.value.provider, caught.value.setting) == ("openai", setting)
                if isinstance(caught.value, RateLimited):
                    assert caught.value.retry_after == 7

        self.run(case, model=model, batch_size=2)

    def test_vectors_are_in_the_order_of_their_texts_however_they_come(self) -> None:
        async def case(embedding: OpenAIEmbedding) -> None:
            texts = [f"{number}" for number in range(20)]
            assert await embedding.embed(texts) == [of_unit_length(vector_of(text)) for text in texts]

        self.run(case, model="backwards", batch_size=7)

    def test_what_is_too_much_together_is_asked_for_in_parts(self) -> None:
        async def case(embedding: OpenAIEmbedding) -> None:
            texts = [f"{number} " * WORDS for number in range(35)]
            assert await embedding.embed(texts) == [of_unit_length(vector_of(text)) for text in texts]

        self.run(case)

    def test_the_text_that_is_too_long_is_named_and_the_key_is_not(self, caplog: pytest.LogCaptureFixture) -> None:
        async def case(embedding: OpenAIEmbedding) -> None:
            for index in (0, 13, 34):
                texts = [f"{number} " * WORDS for number in range(35)]
                texts[index] *= 2
                with pytest.raises(TooLong) as caught:
                    await embedding.embed(texts)
                assert caught.value.index == index
                assert SECRET not in f"{caught.value!r}{caught.value}{vars(embedding)}{caplog.text}"

        caplog.set_level(logging.DEBUG)
        self.run(case, batch_size=10, api_key=Secret(SECRET))

    def test_prefixes_are_part_of_the_text(self) -> None:
        async def case(embedding: OpenAIEmbedding) -> None:
            (asked,) = await embedding.embed(["a"], kind="query")
            (found,) = await embedding.embed(["a"])
            assert [asked, found] == [of_unit_length(vector_of(text)) for text in ("query: a", "passage: a")]

        self.run(case, query_prefix="query: ", document_prefix="passage: ")

    def test_the_dimension_is_asked_for_once_and_is_as_it_was_set(self) -> None:
        async def case(embedding: OpenAIEmbedding) -> None:
            assert await embedding.dimension() == DIMENSION
            assert await embedding.dimension() == DIMENSION

        async def other(embedding: OpenAIEmbedding) -> None:
            with pytest.raises(EmbeddingMisconfigured) as caught:
                await embedding.embed(["a"])
            assert caught.value.setting == "dimensions"

        self.run(case)
        self.run(case, dimensions=DIMENSION)
        self.run(other, dimensions=DIMENSION + 1)


class TestActivation(UnreachableCases):
    provider = Provider("embedding", "openai", "", "base_url", {"base_url": "http://127.0.0.1:PORT/v1"})
