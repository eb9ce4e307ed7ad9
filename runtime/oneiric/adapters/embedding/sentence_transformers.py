"""Embedding provider `sentence-transformers`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sentence_transformers import SentenceTransformer  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

from oneiric import component
from oneiric.adapters.embedding._local import LocalEmbedding, Model, faults_of


@component(
    "adapter",
    "embedding",
    provider="sentence-transformers",
    priority=0,
    stack_level=-15,
    capabilities=("batch", "local", "normalized"),
    port="oneiric.adapters.embedding:Embedding",
)
class SentenceTransformersEmbedding(LocalEmbedding):
    """Runs a model of the library sentence-transformers, on PyTorch.

    Needs the files of a model, or the network to fetch them; the extra `embedding-sentence-transformers`.

    `model`: the folder of a model, or its name on the Hugging Face Hub, from where it is fetched at the first start.
    `device`: where it runs: `cpu`, `cuda`, `mps`; the best there is if it is not set.
    `query_prefix`: set before each text that is looked for, as some models want it.
    `document_prefix`: set before each text that is to be found.
    `timeout`: seconds for a call that does not say.
    """

    _faults = faults_of("sentence-transformers")

    def __init__(
        self,
        *,
        model: str = "sentence-transformers/all-MiniLM-L6-v2",
        device: str | None = None,
        query_prefix: str = "",
        document_prefix: str = "",
        timeout: float = 30.0,
    ) -> None:
        super().__init__(query_prefix=query_prefix, document_prefix=document_prefix, timeout=timeout)
        self._faults.check_text(model=model, device=device)
        self._name = model
        self._device = device

    def _load(self) -> Model:
        try:
            return _TorchModel(SentenceTransformer(self._name, device=self._device))
        except Exception as error:  # the library raises what is below it raises: OSError, ValueError, RuntimeError
            what = f"the model {self._name!r} cannot be loaded: {type(error).__name__}"
            raise self._faults.no_sense(what, "model") from error


class _TorchModel(Model):
    def __init__(self, model: Any) -> None:  # a library without complete types
        self._model = model
        self.max_tokens = model.max_seq_length or 512
        self.dimension = model.get_embedding_dimension()

    def tokens(self, text: str) -> int:
        return len(self._model.tokenizer(text, truncation=False, verbose=False)["input_ids"])

    def vector(self, text: str) -> Sequence[float]:
        vector: list[float] = self._model.encode(text, show_progress_bar=False).tolist()
        return vector
