"""The port `embedding`: vectors of texts, near each other where the texts mean the like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

MAX_TEXTS = 10_000
"""Texts of one call, at most."""
MAX_TIMEOUT = 24 * 3600.0
"""Seconds a call may be given, at most."""

Kind: TypeAlias = Literal["document", "query"]
"""What a text is: something to be found, or what is looked for. Some models want to know."""


class EmbeddingError(AdapterError):
    """Anything an embedding raises."""

    key = "embedding"


class EmbeddingClosed(EmbeddingError, Closed):
    """It was closed, or not started yet."""


class EmbeddingUnavailable(EmbeddingError, Unavailable):
    """The server does not answer, not in time, or not with vectors; a model takes longer than the time of the call."""


class RateLimited(EmbeddingUnavailable):
    """The server takes no more for now; `retry_after`: the seconds it asks to wait, if it says so."""

    retry_after: float | None = None


class EmbeddingRefused(EmbeddingError, Refused):
    """The server turns this component away: its key, its certificate or what it may do."""


class EmbeddingMisconfigured(EmbeddingError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other, or name what is not there; `setting` is one of them."""


class InvalidText(EmbeddingError, ValueError):
    """Texts or a timeout of a wrong type or outside the limits of the port, or that the server does not take."""


class TooLong(InvalidText):
    """A text has more tokens than the model reads: it is not cut. `index`: which of the texts."""

    def __init__(self, index: int, what: str, *, provider: str | None = None, setting: str | None = None) -> None:
        self.index = index
        super().__init__(f"text {index} is too long: {what}", provider=provider, setting=setting)


class Embedding(Protocol):
    """Makes vectors of texts, by one model: those of another cannot be compared with them.

    A vector has the length 1, so that the sum of the products of two is the cosine of their angle. It is the same
    whatever other texts are asked for with it.

    `timeout` is in seconds, at most `MAX_TIMEOUT`, and None means that of the component. It is for all of a call.
    """

    async def embed(
        self, texts: Sequence[str], *, kind: Kind = "document", timeout: float | None = None
    ) -> list[list[float]]:
        """A vector for each of at most `MAX_TEXTS` texts, in their order; all of them, or an error.

        Raises `TooLong` for a text that the model does not read to its end.
        """
        ...

    async def dimension(self) -> int:
        """How many numbers a vector has. The model may have to be asked for one to know, once."""
        ...


def check_texts(texts: Sequence[str], kind: Kind, timeout: float | None) -> None:
    """Raise `InvalidText` unless they are what a call takes. For providers."""
    if isinstance(texts, str):
        raise InvalidText("texts are a sequence of texts, not one")
    if len(texts) > MAX_TEXTS:
        raise InvalidText(f"{len(texts)} texts are more than {MAX_TEXTS}")
    for index, text in enumerate(texts):
        if not isinstance(text, str) or not text:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidText(f"text {index} is empty or not a text")
        if not _is_unicode(text):
            raise InvalidText(f"text {index} has a lone surrogate")
    if kind not in ("document", "query"):
        raise InvalidText(f"{kind!r} is neither document nor query")
    if timeout is not None and not 0 < timeout <= MAX_TIMEOUT:
        raise InvalidText(f"a timeout is above 0 and at most {MAX_TIMEOUT:g} seconds")


def of_unit_length(vector: Sequence[float]) -> list[float] | None:
    """The vector of this direction whose length is 1; None where there is no direction. For providers."""
    length = math.hypot(*vector)
    if not 0 < length < math.inf:
        return None
    return list(vector) if abs(length - 1) < 1e-9 else [each / length for each in vector]


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
