"""LLM provider `anthropic`."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from oneiric import Secret, component
from oneiric.adapters.llm import ChatMessage, Finish, Usage
from oneiric.adapters.llm._asked import Asked
from oneiric.adapters.llm._chats import ChatApi, Said, text_of

_FINISHES: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tools",
    "refusal": "refused",
}
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


class _Thoughts(list[dict[str, Any]]):
    """The blocks of a message in which the model thinks: it wants them back, signed as they are."""


@component(
    "adapter",
    "llm",
    provider="anthropic",
    priority=0,
    stack_level=-20,
    capabilities=("chat", "schema", "stream", "tools", "vision"),
    port="oneiric.adapters.llm:LLM",
)
class AnthropicLLM(ChatApi):
    """Asks a server that speaks the messages API of Anthropic.

    Needs an account of Anthropic, or such a server.

    `model`: the model's name.
    `api_key`: the key of the account; none for a server that is open to all.
    `base_url`: where the API is, without its version.
    `api_version`: the version of the API, a date.
    `max_tokens`: how many tokens a reply has at most.
    `temperature`: 0 to 1, how freely the model chooses; as the server says if it is not set.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for a call that does not say.
    `healthcheck_timeout`: seconds for a health check, and that of the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    _provider = "anthropic"
    _models = "/v1/models"

    def __init__(
        self,
        *,
        model: str,
        api_key: Secret | None = None,
        base_url: str = "https://api.anthropic.com",
        api_version: str = "2023-06-01",
        max_tokens: int = 4096,
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
            key_header=("x-api-key", ""),
            headers={"anthropic-version": api_version},
            max_tokens=max_tokens,
            temperature=temperature,
            ca_file=ca_file,
            timeout=timeout,
            healthcheck_timeout=healthcheck_timeout,
            max_connections=max_connections,
        )
        if not (api_version.isascii() and api_version.isprintable() and api_version):
            raise self._faults.no_sense("is not of printable ASCII", "api_version")

    def _request(self, asked: Asked) -> tuple[str, dict[str, Any]]:
        body: dict[str, Any] = {
            "model": asked.model,
            "messages": _messages(asked),
            "max_tokens": asked.max_tokens,
        }
        if system := [each.text for each in asked.messages if each.role == "system"]:
            body["system"] = "\n\n".join(system)
        if asked.stream:
            body["stream"] = True
        if asked.tools:
            body["tools"] = [
                {"name": each.name, "description": each.description, "input_schema": each.parameters}
                for each in asked.tools
            ]
            one = {"type": "tool", "name": asked.tool}
            body["tool_choice"] = {"type": _CHOICES[asked.choice]} if asked.tool is None else one
        if asked.schema is not None:
            body["output_config"] = {"format": {"type": "json_schema", "schema": asked.schema}}
        if asked.temperature is not None:
            body["temperature"] = asked.temperature
        if asked.stop:
            body["stop_sequences"] = list(asked.stop)
        return "/v1/messages", body

    def _read(self, said: Said, document: dict[str, Any]) -> None:
        for place, block in enumerate(document["content"]):
            if block["type"] == "tool_use":
                said.call(place, block["id"], block["name"], text_of(block["input"]))
            elif block["type"] == "text":
                said.texts.append(block["text"])
            else:
                _think(said, place, block)
        said.finish = _FINISHES[document["stop_reason"]]
        _tell(said, document)

    def _read_piece(self, said: Said, document: dict[str, Any]) -> str:
        match document["type"]:
            case "message_start":
                _tell(said, document["message"])
            case "content_block_start":
                place, block = document["index"], document["content_block"]
                if block["type"] == "tool_use":
                    said.call(place, block["id"], block["name"], "")
                elif block["type"] != "text":
                    _think(said, place, dict(block))
                return block.get("text") or ""
            case "content_block_delta":
                return _take(said, document["index"], document["delta"])
            case "message_delta":
                said.finish = _FINISHES[document["delta"]["stop_reason"]]
                _tell(said, document)
            case _:
                pass  # pings, ends of blocks, and what is not known yet
        return ""


def _messages(asked: Asked) -> list[dict[str, Any]]:
    """All but the system's; the results of tools are a user's, those of one turn in one message."""
    told: list[dict[str, Any]] = []
    results: list[dict[str, Any]] | None = None
    for message in asked.messages:
        if message.role == "system":
            continue
        if message.role == "tool":
            if results is None:
                results = []
                told.append({"role": "user", "content": results})
            results.append({"type": "tool_result", "tool_use_id": message.answers, "content": message.text})
            continue
        results = None
        told.append({"role": message.role, "content": _blocks(message)})
    return told


def _blocks(message: ChatMessage) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = list(message.opaque) if isinstance(message.opaque, _Thoughts) else []
    for image in message.images:
        data = base64.b64encode(image.data).decode()
        blocks.append({"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": data}})
    if message.text:
        blocks.append({"type": "text", "text": message.text})
    return blocks + [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in message.calls
    ]


def _think(said: Said, place: int, block: dict[str, Any]) -> None:
    if block["type"] in ("thinking", "redacted_thinking"):
        thoughts = said.opaque if isinstance(said.opaque, _Thoughts) else _Thoughts()
        said.opaque = thoughts
        thoughts.append(block)


def _take(said: Said, place: int, delta: dict[str, Any]) -> str:
    """Read a piece of a block, and give its text."""
    match delta["type"]:
        case "text_delta":
            text: str = delta["text"]
            return text
        case "input_json_delta":
            said.call(place, None, None, delta["partial_json"])
        case "thinking_delta" | "signature_delta":
            name = delta["type"].removesuffix("_delta")
            if isinstance(said.opaque, _Thoughts):
                said.opaque[-1][name] = said.opaque[-1].get(name, "") + delta[name]
        case _:
            pass
    return ""


def _tell(said: Said, document: dict[str, Any]) -> None:
    """Usage adds up over a stream: what was read is told first, what was written last."""
    said.model = document.get("model") or said.model
    usage: dict[str, Any] = document.get("usage") or {}
    known = said.usage or Usage(0, 0)
    total, cached = known.input_tokens, known.cached_tokens
    if usage.get("input_tokens") is not None:
        cached = usage.get("cache_read_input_tokens") or 0
        total = usage["input_tokens"] + cached + (usage.get("cache_creation_input_tokens") or 0)
    said.usage = Usage(total, usage.get("output_tokens") or known.output_tokens, cached) if usage else said.usage
