"""Embedding provider `openai`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from oneiric import Secret, component
from oneiric.adapters._common.api import Answer, Api, Deadline, is_about_length, retry_after, said_of
from oneiric.adapters._common.asking import Asking
from oneiric.adapters._common.network import Faults
from oneiric.adapters.embedding import (
    EmbeddingClosed,
    EmbeddingError,
    EmbeddingMisconfigured,
    EmbeddingRefused,
    EmbeddingUnavailable,
    InvalidText,
    Kind,
    RateLimited,
    TooLong,
    check_texts,
    of_unit_length,
)
from oneiric.errors import AdapterError

_PROVIDER = "openai"
_FAULTS = Faults(_PROVIDER, EmbeddingUnavailable, EmbeddingRefused, EmbeddingMisconfigured)
_MOST = 2048  # texts that the API takes in a request


class _Item(msgspec.Struct):
    embedding: list[float]
    index: int


class _Found(msgspec.Struct):
    data: list[_Item]


_FOUND = msgspec.json.Decoder(_Found)


@component(
    "adapter",
    "embedding",
    provider="openai",
    priority=0,
    stack_level=-20,
    capabilities=("batch", "normalized"),
    port="oneiric.adapters.embedding:Embedding",
)
class OpenAIEmbedding(Asking[Api]):
    """Asks a server that speaks the API of OpenAI: OpenAI itself, llama.cpp, vLLM, text-embeddings-inference.

    Needs an account of OpenAI, or such a server.

    `model`: the model's name.
    `api_key`: the key of the account; none for a server that is open to all.
    `base_url`: where the API is, with its version.
    `organization`: the organization that pays, where an account has several.
    `dimensions`: how many numbers a vector has, for models that can shorten theirs.
    `batch_size`: how many texts are sent in one request, at most 2048; what is more goes in several at once.
    `query_prefix`: set before each text that is looked for, as some models want it.
    `document_prefix`: set before each text that is to be found.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for a call that does not say.
    `healthcheck_timeout`: seconds for a health check, and that of the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        model: str = "text-embedding-3-small",
        api_key: Secret | None = None,
        base_url: str = "https://api.openai.com/v1",
        organization: str | None = None,
        dimensions: int | None = None,
        batch_size: int = 100,
        query_prefix: str = "",
        document_prefix: str = "",
        ca_file: Path | None = None,
        timeout: float = 30.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 20,
    ) -> None:
        _FAULTS.check_text(model=model, organization=organization)
        _FAULTS.check_above_zero(timeout=timeout, healthcheck_timeout=healthcheck_timeout, batch_size=batch_size)
        if batch_size > _MOST:
            raise _FAULTS.no_sense(f"{batch_size} is above {_MOST}", "batch_size")
        if dimensions is not None:
            _FAULTS.check_above_zero(dimensions=dimensions)
        if organization is not None and not re.fullmatch(r"[\x21-\x7e]+", organization):
            raise _FAULTS.no_sense("is not of printable ASCII", "organization")
        self._api = Api(
            _FAULTS,
            EmbeddingClosed,
            base_url=base_url,
            headers={} if organization is None else {"openai-organization": organization},
            key=api_key,
            ca_file=ca_file,
            max_connections=max_connections,
        )
        self._model = model
        self._dimensions = dimensions
        self._known = dimensions
        self._batch_size = batch_size
        self._prefixes: dict[Kind, str] = {"query": query_prefix, "document": document_prefix}
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout

    async def embed(
        self, texts: Sequence[str], *, kind: Kind = "document", timeout: float | None = None
    ) -> list[list[float]]:
        check_texts(texts, kind, timeout)
        self._api.check_open()
        deadline = Deadline.within(self._timeout if timeout is None else timeout)
        prefixed = [self._prefixes[kind] + text for text in texts]
        starts = range(0, len(texts), self._batch_size)
        if len(starts) < 2:
            return await self._vectors(prefixed, 0, deadline) if texts else []
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._vectors(prefixed[start : start + self._batch_size], start, deadline))
                    for start in starts
                ]
        except* EmbeddingError as several:
            failed = several.exceptions[0]
        else:
            return [vector for task in tasks for vector in task.result()]
        raise failed

    async def dimension(self) -> int:
        if self._known is None:
            self._known = len((await self.embed(["dimension"]))[0])
        return self._known

    async def _vectors(self, texts: list[str], first: int, deadline: Deadline) -> list[list[float]]:
        """Those of one batch, of which the first text is this one of the call."""
        asked: dict[str, object] = {"model": self._model, "input": texts, "encoding_format": "float"}
        if self._dimensions is not None:
            asked["dimensions"] = self._dimensions
        answer = await self._api.ask("POST", "/embeddings", asked, deadline=deadline)
        if answer.status == 200:
            return self._read(answer, len(texts))
        message, codes = said_of(answer.json())
        if answer.status in (400, 413, 422, 500) and is_about_length(message, codes):
            if len(texts) == 1:
                raise TooLong(first, self._api.told(message), provider=_PROVIDER, setting="model")
            half = len(texts) // 2  # all of them may be too much together, or one by itself
            before = await self._vectors(texts[:half], first, deadline)
            return before + await self._vectors(texts[half:], first + half, deadline)
        raise self._error(answer, message)

    def _read(self, answer: Answer, count: int) -> list[list[float]]:
        try:
            items = sorted(_FOUND.decode(answer.body).data, key=lambda item: item.index)
        except ValueError:
            raise self._api.unavailable("it did not answer with vectors") from None
        if [item.index for item in items] != list(range(count)):
            raise self._api.unavailable(f"it answered with {len(items)} vectors for {count} texts")
        vectors: list[list[float]] = []
        for item in items:
            vector = of_unit_length(item.embedding)
            if vector is None or len(vector) != len(items[0].embedding):
                raise self._api.unavailable("it answered with a vector without direction, or of another dimension")
            vectors.append(vector)
        if self._dimensions not in (None, len(vectors[0])):
            what = f"the model {self._model!r} answers with {len(vectors[0])} numbers, whatever is asked for"
            raise _FAULTS.no_sense(what, "dimensions")
        return vectors

    async def _ask_health(self) -> None:
        """Asks what costs nothing. Who may embed need not be allowed to see the models, so a 403 says nothing."""
        answer = await self._api.ask("GET", "/models", deadline=Deadline.within(self._healthcheck_timeout))
        if answer.status == 401 or answer.status >= 500 or answer.status == 429:
            raise self._error(answer, said_of(answer.json())[0])

    def _error(self, answer: Answer, message: str) -> AdapterError:
        what = f"the server answered {answer.status}"
        if message:
            what = f"{what}: {self._api.told(message)}"
        match answer.status:
            case 401 | 403:
                return _FAULTS.no_entry(what, "api_key")
            case 404:
                return _FAULTS.no_sense(what, "model")
            case 429:
                limited = RateLimited(what, provider=_PROVIDER, setting="api_key")
                limited.retry_after = retry_after(answer.headers)
                return limited
            case 400 | 413 | 422:
                return InvalidText(what, provider=_PROVIDER, setting="model")
            case _:
                return self._api.unavailable(what)
