"""Chats over HTTP: what the providers have in common, whatever their servers' words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import msgspec

from oneiric import Secret
from oneiric.adapters._common.api import Answer, Api, Deadline, is_about_length, retry_after, said_of
from oneiric.adapters._common.asking import Asking
from oneiric.adapters._common.network import Faults
from oneiric.adapters.llm import (
    ChatMessage,
    Delta,
    Finish,
    InvalidChat,
    InvalidReply,
    Json,
    LLMClosed,
    LLMMisconfigured,
    LLMRefused,
    LLMUnavailable,
    RateLimited,
    Reply,
    Tool,
    ToolCall,
    TooLong,
    UnknownModel,
    Usage,
)
from oneiric.adapters.llm._asked import Asked, check
from oneiric.errors import AdapterError

_DONE = b"[DONE]"
_NOT_DATA = (b"event:", b":", b"id:", b"retry:")


class Said:
    """What a model said so far. A dialect reads it out of answers, whole or in pieces; `finish` is its own word."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.calls: dict[int, tuple[str, str, str]] = {}
        """By their place: id, name and the arguments, as text."""
        self.finish: Finish | None = None
        self.usage: Usage | None = None
        self.model = ""
        self.opaque: object = None

    def call(self, place: int, id: str | None, name: str | None, arguments: str) -> None:
        """More of a call."""
        known = self.calls.get(place, ("", "", ""))
        self.calls[place] = (known[0] or id or "", known[1] or name or "", known[2] + arguments)

    def reply(self, asked: Asked, provider: str) -> Reply:
        """All of it. What ends for want of tokens has no calls: the last one may not be whole."""
        assert self.finish is not None
        finish: Finish = "tools" if self.finish == "stop" and self.calls else self.finish
        calls = () if finish == "length" else tuple(_call(*call, provider) for _, call in sorted(self.calls.items()))
        message = ChatMessage("assistant", "".join(self.texts), calls=calls, opaque=self.opaque)
        return Reply(message, finish, self.usage, self.model or asked.model)


class ChatApi(Asking[Api], ABC):
    """The port `LLM` over the API of a server; a dialect says how it is asked and reads what it answers."""

    _provider: ClassVar[str]
    _models: ClassVar[str]
    """The path that lists the models, which costs nothing."""

    def __init__(
        self,
        *,
        model: str,
        base_url: str,
        api_key: Secret | None,
        key_header: tuple[str, str],
        headers: Mapping[str, str],
        max_tokens: int | None,
        temperature: float | None,
        ca_file: Path | None,
        timeout: float,
        healthcheck_timeout: float,
        max_connections: int,
    ) -> None:
        self._faults = faults = Faults(self._provider, LLMUnavailable, LLMRefused, LLMMisconfigured)
        faults.check_text(model=model)
        faults.check_above_zero(timeout=timeout, healthcheck_timeout=healthcheck_timeout)
        if max_tokens is not None:
            faults.check_above_zero(max_tokens=max_tokens)
        if temperature is not None and not 0 <= temperature <= 2:
            raise faults.no_sense(f"{temperature} is not from 0 to 2", "temperature")
        self._api = Api(
            faults,
            LLMClosed,
            base_url=base_url,
            headers=headers,
            key=api_key,
            key_header=key_header,
            ca_file=ca_file,
            max_connections=max_connections,
        )
        self._model = model
        self._max_tokens = max_tokens
        self._temperature = temperature
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout

    # what a dialect does

    @abstractmethod
    def _request(self, asked: Asked) -> tuple[str, dict[str, Any]]:
        """The path and the body of a request."""

    @abstractmethod
    def _read(self, said: Said, document: dict[str, Any]) -> None:
        """Read a whole answer. What it lacks may raise KeyError, TypeError and the like."""

    @abstractmethod
    def _read_piece(self, said: Said, document: dict[str, Any]) -> str:
        """Read a piece of a stream, and give the text it adds."""

    # the port

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
        asked = self._asked(messages, tools, choice, schema, model, max_tokens, temperature, stop, stream=False)
        check(asked, timeout)
        path, body = self._request(asked)
        deadline = Deadline.within(self._timeout if timeout is None else timeout)
        answer = await self._api.ask("POST", path, body, deadline=deadline)
        if answer.status != 200:
            raise self._error(answer, asked.model)
        said = Said()
        self._reading(said, answer.json(), self._read)
        if said.finish is None:
            raise self._api.unavailable("it answered without a reason to end")
        return said.reply(asked, self._provider)

    async def stream(
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
        asked = self._asked(messages, tools, choice, schema, model, max_tokens, temperature, stop, stream=True)
        check(asked, timeout)
        path, body = self._request(asked)
        deadline = Deadline.within(self._timeout if timeout is None else timeout)
        said = Said()
        async with self._api.exchange("POST", path, body, deadline=deadline) as exchange:
            if exchange.status != 200:
                raise self._error(await exchange.answer(), asked.model)
            async with aclosing(exchange.lines()) as lines:
                async for line in lines:
                    data = line.removeprefix(b"data:").strip()
                    if not data or line.startswith(_NOT_DATA):
                        continue
                    if data == _DONE:
                        break
                    text = self._reading(said, _json(data), self._read_piece)
                    if text:
                        said.texts.append(text)
                        yield Delta(text)
        if said.finish is None:
            raise self._api.unavailable("the stream ended before the reply did")
        yield Delta(reply=said.reply(asked, self._provider))

    def _asked(
        self,
        messages: Sequence[ChatMessage],
        tools: Sequence[Tool],
        choice: str,
        schema: Mapping[str, Json] | None,
        model: str | None,
        max_tokens: int | None,
        temperature: float | None,
        stop: Sequence[str],
        *,
        stream: bool,
    ) -> Asked:
        return Asked(
            messages,
            tools,
            choice,
            schema,
            self._model if model is None else model,
            self._max_tokens if max_tokens is None else max_tokens,
            self._temperature if temperature is None else temperature,
            stop,
            stream,
        )

    def _reading(self, said: Said, document: Any, read: Any) -> Any:
        """Read a document by a method of the dialect, unless it says that the server failed."""
        if not isinstance(document, dict):
            raise self._api.unavailable("it answered with something else than JSON")
        document = cast("dict[str, Any]", document)
        if document.get("error"):
            message, codes = said_of(document)
            raise self._api.unavailable(f"it failed: {self._api.told(message or ' '.join(codes))}")
        try:
            return read(said, document)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            raise self._api.unavailable("it answered with something that is no reply") from None

    async def _ask_health(self) -> None:
        """Asks what spends no tokens. Who may chat need not be allowed to see the models: a 403 says nothing."""
        answer = await self._api.ask("GET", self._models, deadline=Deadline.within(self._healthcheck_timeout))
        if answer.status in (401, 429) or answer.status >= 500:
            raise self._error(answer, self._model)

    def _error(self, answer: Answer, model: str) -> AdapterError:
        """The port's error for an answer that is none."""
        message, codes = said_of(answer.json())
        what = f"the server answered {answer.status}"
        if message:
            what = f"{what}: {self._api.told(message)}"
        if answer.status in (401, 402, 403) or "insufficient_quota" in codes:
            return self._faults.no_entry(what, "api_key")
        if answer.status == 404 or "model_not_found" in codes:
            return UnknownModel(f"{model!r}: {what}", provider=self._provider, setting="model")
        if answer.status == 429:
            limited = RateLimited(what, provider=self._provider, setting="api_key")
            limited.retry_after = retry_after(answer.headers)
            return limited
        if is_about_length(message, codes) and answer.status in (400, 413, 422, 500):
            return TooLong(what, provider=self._provider, setting="model")
        if answer.status in (400, 413, 422):
            return InvalidChat(what, provider=self._provider)
        return self._api.unavailable(what)


def text_of(arguments: Mapping[str, Json]) -> str:
    """Arguments as the text of JSON that some servers want."""
    return msgspec.json.encode(arguments).decode()


def _json(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except ValueError:
        return None


def _call(id: str, name: str, arguments: str, provider: str) -> ToolCall:
    parsed: Any = _json(arguments.encode()) if arguments else {}
    if not isinstance(parsed, dict) or not name:
        raise InvalidReply(f"the arguments of a call of {name!r} are not a JSON object", provider=provider)
    return ToolCall(id, name, cast("dict[str, Json]", parsed))
