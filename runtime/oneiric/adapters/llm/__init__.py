"""The port `llm`: chats with a language model."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
Finish: TypeAlias = Literal["stop", "length", "tools", "refused"]
"""Why a reply ends: the model was done, or met a text of `stop`; it may say no more; it wants tools called; it, or
who watches it, refuses to answer."""
MediaType: TypeAlias = Literal["image/png", "image/jpeg", "image/gif", "image/webp"]

MAX_TIMEOUT = 24 * 3600.0
"""Seconds a call may be given, at most."""


class LLMError(AdapterError):
    """Anything a language model raises."""

    key = "llm"


class LLMClosed(LLMError, Closed):
    """It was closed, or not started yet."""


class LLMUnavailable(LLMError, Unavailable):
    """The server does not answer, not in time, not to the end, or says that it failed."""


class RateLimited(LLMUnavailable):
    """The server takes no more for now; `retry_after`: the seconds it asks to wait, if it says so."""

    retry_after: float | None = None


class LLMRefused(LLMError, Refused):
    """The server turns this component away: its key, its certificate, its account or what it may do."""


class LLMMisconfigured(LLMError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class UnknownModel(LLMMisconfigured):
    """The server has no model of this name."""


class InvalidChat(LLMError, ValueError):
    """Messages, tools or options outside the limits of the port, or that the server does not take."""


class TooLong(InvalidChat):
    """The messages have more tokens than the model reads. Nothing is cut."""


class InvalidReply(LLMError):
    """What a model says cannot be used: arguments of a call that are no JSON object, or a text that is not JSON."""


@dataclass(frozen=True, slots=True)
class Image:
    data: bytes = field(repr=False)
    media_type: MediaType


@dataclass(frozen=True, slots=True)
class Tool:
    """What a model may ask to have called. `parameters` is the JSON Schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Json] = field(hash=False)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a model wants called. `arguments` is an object of JSON, which need not fit the schema of the tool."""

    id: str
    name: str
    arguments: Mapping[str, Json] = field(hash=False)


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """What somebody says. `answers`: in the role `tool`, the id of the call that `text` is the result of.

    `opaque` is what the provider wants back as it came: put the message of a reply among the messages as it is.
    """

    role: Role
    text: str = ""
    images: tuple[Image, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    answers: str | None = None
    opaque: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens. `cached_tokens` are those of `input_tokens` that the server had already."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model says, and why it ends there. `usage` is None where the server does not tell."""

    message: ChatMessage
    finish: Finish
    usage: Usage | None
    model: str

    def json(self) -> Any:
        """The text as JSON. Raises `InvalidReply` where it is none, or where the model was not done."""
        if self.finish != "stop":
            raise InvalidReply(f"the reply is not complete: it ends by {self.finish}")
        try:
            return json.loads(self.message.text)
        except (ValueError, RecursionError):
            raise InvalidReply("the reply is not JSON") from None


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a stream: more text, or, as the last one, the whole `reply`."""

    text: str = ""
    reply: Reply | None = None


class LLM(Protocol):
    """A language model of a server. A call is made once: what fails is not tried again, least of all midway.

    `choice`: whether the model calls tools as it likes (`auto`), not at all, at least one (`required`), or the one of
    this name. `schema`: a JSON Schema that the text has to fit, see `Reply.json`. `model`, `max_tokens`, `temperature`:
    those of the component if they are None. `stop`: texts before which the reply ends.

    `timeout` is in seconds, at most `MAX_TIMEOUT`, and None means that of the component. It is for all of a call; in a
    stream for all until the first piece, then for each.
    """

    async def chat(
        self,
        messages: Sequence[ChatMessage],
        *,
        tools: Sequence[Tool] = (),
        choice: Literal["auto", "none", "required"] | str = "auto",
        schema: Mapping[str, Json] | None = None,
        model: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        stop: Sequence[str] = (),
        timeout: float | None = None,
    ) -> Reply:
        """The reply to all of the messages."""
        ...

    def stream(
        self,
        messages: Sequence[ChatMessage],
        *,
        tools: Sequence[Tool] = (),
        choice: Literal["auto", "none", "required"] | str = "auto",
        schema: Mapping[str, Json] | None = None,
        model: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        stop: Sequence[str] = (),
        timeout: float | None = None,
    ) -> AsyncIterator[Delta]:
        """The reply as it is said; the last piece has all of it. A stream that breaks off raises `LLMUnavailable`."""
        ...
