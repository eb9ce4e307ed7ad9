"""Embedding provider `onnx`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
from tokenizers import Tokenizer

from oneiric import component
from oneiric.adapters.embedding._local import LocalEmbedding, Model, faults_of


@component(
    "adapter",
    "embedding",
    provider="onnx",
    priority=0,
    stack_level=-15,
    capabilities=("batch", "local", "normalized"),
    port="oneiric.adapters.embedding:Embedding",
)
class OnnxEmbedding(LocalEmbedding):
    """Runs a model of the ONNX format on the processor, by onnxruntime.

    Needs the files of a model; the extra `embedding-onnx`.

    `model_path`: the model, a file `.onnx` whose first output has a vector for each token, or one for the text.
    `tokenizer_path`: its tokenizer, a file `tokenizer.json`.
    `pooling`: how the vectors of tokens become one: their `mean`, or that of the first (`cls`).
    `max_tokens`: how many tokens the model reads.
    `threads`: how many threads a text is worked on by; as many as there are cores if it is not set.
    `query_prefix`: set before each text that is looked for, as some models want it.
    `document_prefix`: set before each text that is to be found.
    `timeout`: seconds for a call that does not say.
    """

    _faults = faults_of("onnx")

    def __init__(
        self,
        *,
        model_path: Path,
        tokenizer_path: Path,
        pooling: Literal["mean", "cls"] = "mean",
        max_tokens: int = 512,
        threads: int | None = None,
        query_prefix: str = "",
        document_prefix: str = "",
        timeout: float = 30.0,
    ) -> None:
        super().__init__(query_prefix=query_prefix, document_prefix=document_prefix, timeout=timeout)
        self._faults.check_above_zero(max_tokens=max_tokens)
        if threads is not None:
            self._faults.check_above_zero(threads=threads)
        if pooling not in ("mean", "cls"):
            raise self._faults.no_sense(f"{pooling!r} is neither mean nor cls", "pooling")
        for setting, path in (("model_path", model_path), ("tokenizer_path", tokenizer_path)):
            if not path.is_file():
                raise self._faults.no_sense(f"{path} is not a file", setting)
        self._model_path = model_path
        self._tokenizer_path = tokenizer_path
        self._pooling = pooling
        self._max_tokens = max_tokens
        self._threads = threads

    def _load(self) -> Model:
        try:
            tokenizer = Tokenizer.from_file(str(self._tokenizer_path))
        except Exception:  # the library raises no other
            raise self._faults.no_sense(f"{self._tokenizer_path} is not a tokenizer", "tokenizer_path") from None
        tokenizer.no_truncation()
        tokenizer.no_padding()
        options = cast("Any", onnxruntime).SessionOptions()  # a library without types
        options.intra_op_num_threads = self._threads or 0
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(self._model_path, options, providers=["CPUExecutionProvider"])
            return _OnnxModel(session, tokenizer, self._pooling, self._max_tokens)
        except Exception:  # the library's errors have no base of their own
            what = f"{self._model_path} is not a model that reads {self._max_tokens} tokens (setting max_tokens)"
            raise self._faults.no_sense(what, "model_path") from None


class _OnnxModel(Model):
    def __init__(self, session: Any, tokenizer: Tokenizer, pooling: str, max_tokens: int) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._pooling = pooling
        self._inputs = {each.name for each in session.get_inputs()}
        self._output = session.get_outputs()[0].name
        self.max_tokens = max_tokens
        self.dimension = len(self._run([0] * max_tokens, [1] * max_tokens, [0] * max_tokens))

    def tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text).ids)

    def vector(self, text: str) -> Sequence[float]:
        encoding = self._tokenizer.encode(text)
        return self._run(encoding.ids, encoding.attention_mask, encoding.type_ids)

    def _run(self, ids: list[int], mask: list[int], types: list[int]) -> Sequence[float]:
        fed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        arrays = {name: np.array([each], dtype=np.int64) for name, each in fed.items() if name in self._inputs}
        (found,) = self._session.run([self._output], arrays)
        output = np.asarray(found, dtype=np.float64)[0]
        if output.ndim == 2:
            output = output.mean(axis=0) if self._pooling == "mean" else output[0]
        vector: list[float] = output.tolist()
        return vector
