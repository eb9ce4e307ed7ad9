"""LLM provider `openai`."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from oneiric import Secret, component
from oneiric.adapters.llm import ChatMessage, Finish, Usage
from oneiric.adapters.llm._asked import Asked
from oneiric.adapters.llm._chats import ChatApi, Said, text_of

_FINISHES: dict[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tools",
    "function_call": "tools",
    "content_filter": "refused",
}


@component(
    "adapter",
    "llm",
    provider="openai",
    priority=0,
    stack_level=-20,
    capabilities=("chat", "schema", "stream", "tools", "vision"),
    port="oneiric.adapters.llm:LLM",
)
class OpenAILLM(ChatApi):
    """Asks a server that speaks the chat completions of OpenAI: OpenAI itself, llama.cpp, vLLM and many more.

    Needs an account of OpenAI, or such a server.

    `model`: the model's name.
    `api_key`: the key of the account; none for a server that is open to all.
    `base_url`: where the API is, with its version.
    `organization`: the organization that pays, where an account has several.
    `max_tokens`: how many tokens a reply has at most; as many as the server says if it is not set.
    `temperature`: 0 to 2, how freely the model chooses; as the server says if it is not set.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for a call that does not say.
    `healthcheck_timeout`: seconds for a health check, and that of the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    _provider = "openai"
    _models = "/models"

    def __init__(
        self,
        *,
        model: str,
        api_key: Secret | None = None,
        base_url: str = "https://api.openai.com/v1",
        organization: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        ca_file: Path | None = None,
        timeout: float = 60.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 50,
    ) -> None:
        super().__init__(
            model=model,
            base_url=base_url,
            api_key=api_key,
            key_header=("authorization", "Bearer "),
            headers={} if organization is None else {"openai-organization": organization},
            max_tokens=max_tokens,
            temperature=temperature,
            ca_file=ca_file,
            timeout=timeout,
            healthcheck_timeout=healthcheck_timeout,
            max_connections=max_connections,
        )
        if organization is not None and not re.fullmatch(r"[\x21-\x7e]+", organization):
            raise self._faults.no_sense("is not of printable ASCII", "organization")
        # the newer models of OpenAI refuse the old name, other servers may not know the new one
        is_openai = (urlsplit(base_url).hostname or "").endswith("openai.com")
        self._most = "max_completion_tokens" if is_openai else "max_tokens"

    def _request(self, asked: Asked) -> tuple[str, dict[str, Any]]:
        body: dict[str, Any] = {"model": asked.model, "messages": [_message(each) for each in asked.messages]}
        if asked.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        if asked.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {"name": each.name, "description": each.description, "parameters": each.parameters},
                }
                for each in asked.tools
            ]
            one = {"type": "function", "function": {"name": asked.tool}}
            body["tool_choice"] = asked.choice if asked.tool is None else one
        if asked.schema is not None:
            schema = {"name": "reply", "schema": asked.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if asked.max_tokens is not None:
            body[self._most] = asked.max_tokens
        if asked.temperature is not None:
            body["temperature"] = asked.temperature
        if asked.stop:
            body["stop"] = list(asked.stop)
        return "/chat/completions", body

    def _read(self, said: Said, document: dict[str, Any]) -> None:
        choice = document["choices"][0]
        said.texts.append(_take(said, choice["message"], choice["finish_reason"]))
        _tell(said, document)

    def _read_piece(self, said: Said, document: dict[str, Any]) -> str:
        _tell(said, document)
        if not document.get("choices"):
            return ""
        choice = document["choices"][0]
        return _take(said, choice["delta"], choice.get("finish_reason"))


def _message(message: ChatMessage) -> dict[str, Any]:
    told: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.images:
        texts: list[dict[str, Any]] = [{"type": "text", "text": message.text}] if message.text else []
        told["content"] = texts + [
            {"type": "image_url", "image_url": {"url": f"data:{each.media_type};base64,{_base64(each.data)}"}}
            for each in message.images
        ]
    if message.calls:
        told["content"] = message.text or None
        told["tool_calls"] = [
            {"id": each.id, "type": "function", "function": {"name": each.name, "arguments": text_of(each.arguments)}}
            for each in message.calls
        ]
    if message.answers is not None:
        told["tool_call_id"] = message.answers
    return told


def _take(said: Said, message: dict[str, Any], finish: str | None) -> str:
    """Read a message, or a piece of one, and give its text."""
    for place, call in enumerate(message.get("tool_calls") or ()):
        function = call.get("function") or {}
        arguments = function.get("arguments") or ""
        said.call(call.get("index", place), call.get("id"), function.get("name"), arguments)
    if finish is not None:
        said.finish = said.finish or _FINISHES[finish]
    refusal: str = message.get("refusal") or ""
    if refusal:
        said.finish = "refused"
    text: str = message.get("content") or ""
    return text + refusal


def _tell(said: Said, document: dict[str, Any]) -> None:
    said.model = document.get("model") or said.model
    if usage := document.get("usage"):
        details: dict[str, Any] = usage.get("prompt_tokens_details") or {}
        cached = details.get("cached_tokens") or 0
        said.usage = Usage(usage["prompt_tokens"], usage["completion_tokens"], cached)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
