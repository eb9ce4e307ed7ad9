"""Embeddings by a model in this process: loaded in a thread, and used by one call at a time in a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from oneiric.adapters._common.finish import finish, in_thread
from oneiric.adapters._common.network import Faults
from oneiric.adapters.embedding import (
    EmbeddingClosed,
    EmbeddingMisconfigured,
    EmbeddingRefused,
    EmbeddingUnavailable,
    InvalidText,
    Kind,
    TooLong,
    check_texts,
    of_unit_length,
)


class Model(ABC):
    """What is loaded. Its methods are called from one thread at a time."""

    dimension: int
    max_tokens: int

    @abstractmethod
    def tokens(self, text: str) -> int:
        """How many tokens of the model a text has, with those at its ends."""

    @abstractmethod
    def vector(self, text: str) -> Sequence[float]:
        """The vector of a text that is not too long."""


class LocalEmbedding(ABC):
    """The port `Embedding` over a model that a provider loads."""

    _faults: Faults

    def __init__(self, *, query_prefix: str, document_prefix: str, timeout: float) -> None:
        self._faults.check_above_zero(timeout=timeout)
        self._prefixes: dict[Kind, str] = {"query": query_prefix, "document": document_prefix}
        self._timeout = timeout
        self._model: Model | None = None
        self._turn = asyncio.Lock()
        self._closing = threading.Event()

    @abstractmethod
    def _load(self) -> Model:
        """The model. Raises the port's error."""

    async def start(self) -> None:
        await self.aclose()
        model = await in_thread(self._load)
        self._closing = threading.Event()
        self._model = model

    async def health(self) -> bool:
        return self._model is not None

    async def aclose(self) -> None:
        """Ends after the text that is worked on, if there is one."""
        self._model = None
        self._closing.set()
        async with self._turn:
            pass

    async def embed(
        self, texts: Sequence[str], *, kind: Kind = "document", timeout: float | None = None
    ) -> list[list[float]]:
        check_texts(texts, kind, timeout)
        seconds = self._timeout if timeout is None else timeout
        ends = time.monotonic() + seconds
        prefixed = [self._prefixes[kind] + text for text in texts]
        try:
            async with asyncio.timeout(seconds):
                await self._turn.acquire()
        except TimeoutError:
            raise self._late(seconds) from None
        try:
            model, closing, ended = self._loaded(), self._closing, threading.Event()

            def is_over() -> bool:
                return ended.is_set() or closing.is_set() or time.monotonic() > ends

            work = asyncio.get_running_loop().run_in_executor(None, self._vectors, model, prefixed, is_over)
            vectors = await finish(work, interrupt=ended.set)
        finally:
            self._turn.release()
        if vectors is None:
            self._loaded()
            raise self._late(seconds)
        return vectors

    async def dimension(self) -> int:
        return self._loaded().dimension

    def _loaded(self) -> Model:
        if self._model is None:
            raise EmbeddingClosed("it is not open", provider=self._faults.provider)
        return self._model

    def _vectors(self, model: Model, texts: list[str], is_over: Callable[[], bool]) -> list[list[float]] | None:
        """One after the other: a model that rounds by what is in a batch would give a text another vector in each.

        None if it is over before it is done.
        """
        for index, text in enumerate(texts):
            if is_over():
                return None
            if (tokens := model.tokens(text)) > model.max_tokens:
                what = f"it has {tokens} tokens, the model reads {model.max_tokens}"
                raise TooLong(index, what, provider=self._faults.provider)
        vectors: list[list[float]] = []
        for index, text in enumerate(texts):
            if is_over():
                return None
            vector = of_unit_length(model.vector(text))
            if vector is None:
                raise InvalidText(f"text {index} has no direction for this model", provider=self._faults.provider)
            vectors.append(vector)
        return vectors

    def _late(self, seconds: float) -> Exception:
        return self._faults.no_answer(f"the model was not ready in {seconds:g} s", "timeout")


def faults_of(provider: str) -> Faults:
    return Faults(provider, EmbeddingUnavailable, EmbeddingRefused, EmbeddingMisconfigured)
