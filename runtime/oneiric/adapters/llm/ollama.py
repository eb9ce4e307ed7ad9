"""LLM provider `ollama`."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from oneiric import Secret, component
from oneiric.adapters.llm import ChatMessage, Finish, InvalidChat, Usage
from oneiric.adapters.llm._asked import Asked
from oneiric.adapters.llm._chats import ChatApi, Said, text_of

_FINISHES: dict[str, Finish] = {"stop": "stop", "length": "length"}


@component(
    "adapter",
    "llm",
    provider="ollama",
    priority=0,
    stack_level=-20,
    capabilities=("chat", "local", "schema", "stream", "tools", "vision"),
    port="oneiric.adapters.llm:LLM",
)
class OllamaLLM(ChatApi):
    """Asks Ollama by its own API, which can be told how much a model reads.

    Needs a server of Ollama, with the model pulled.

    `model`: the model's name.
    `num_ctx`: how many tokens the model reads, with those it writes; Ollama cuts what is more and does not say so.
    `api_key`: a key, where a gateway before the server wants one.
    `base_url`: where the server is.
    `max_tokens`: how many tokens a reply has at most; as many as the model likes if it is not set.
    `temperature`: 0 to 2, how freely the model chooses; as the model says if it is not set.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for a call that does not say; a model that is not loaded yet takes its time.
    `healthcheck_timeout`: seconds for a health check, and that of the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    _provider = "ollama"
    _models = "/api/tags"

    def __init__(
        self,
        *,
        model: str,
        num_ctx: int = 8192,
        api_key: Secret | None = None,
        base_url: str = "http://127.0.0.1:11434",
        max_tokens: int | None = None,
        temperature: float | None = None,
        ca_file: Path | None = None,
        timeout: float = 120.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 20,
    ) -> None:
        super().__init__(
            model=model,
            base_url=base_url,
            api_key=api_key,
            key_header=("authorization", "Bearer "),
            headers={},
            max_tokens=max_tokens,
            temperature=temperature,
            ca_file=ca_file,
            timeout=timeout,
            healthcheck_timeout=healthcheck_timeout,
            max_connections=max_connections,
        )
        self._faults.check_above_zero(num_ctx=num_ctx)
        self._num_ctx = num_ctx

    def _request(self, asked: Asked) -> tuple[str, dict[str, Any]]:
        if asked.choice not in ("auto", "none"):
            raise InvalidChat("Ollama cannot be made to call a tool: choice is auto or none", provider=self._provider)
        names: dict[str, str] = {}
        options: dict[str, Any] = {"num_ctx": self._num_ctx}
        body: dict[str, Any] = {
            "model": asked.model,
            "messages": [_message(each, names) for each in asked.messages],
            "stream": asked.stream,
            "options": options,
        }
        if asked.tools and asked.choice == "auto":
            body["tools"] = [
                {
                    "type": "function",
                    "function": {"name": each.name, "description": each.description, "parameters": each.parameters},
                }
                for each in asked.tools
            ]
        if asked.schema is not None:
            body["format"] = asked.schema
        if asked.max_tokens is not None:
            options["num_predict"] = asked.max_tokens
        if asked.temperature is not None:
            options["temperature"] = asked.temperature
        if asked.stop:
            options["stop"] = list(asked.stop)
        return "/api/chat", body

    def _read(self, said: Said, document: dict[str, Any]) -> None:
        said.texts.append(self._read_piece(said, document))

    def _read_piece(self, said: Said, document: dict[str, Any]) -> str:
        message: dict[str, Any] = document.get("message") or {}
        for call in message.get("tool_calls") or ():
            place, function = len(said.calls), call["function"]
            arguments: dict[str, Any] = function.get("arguments") or {}
            # before a model knew ids Ollama had none
            said.call(place, call.get("id") or f"call_{place}", function["name"], text_of(arguments))
        said.model = document.get("model") or said.model
        if document["done"]:
            said.finish = _FINISHES[document.get("done_reason") or "stop"]
            said.usage = Usage(document.get("prompt_eval_count") or 0, document.get("eval_count") or 0)
        text: str = message.get("content") or ""
        return text


def _message(message: ChatMessage, names: dict[str, str]) -> dict[str, Any]:
    """`names` are those of the calls so far, by their ids: a result is told by the name of its tool."""
    names.update((each.id, each.name) for each in message.calls)
    told: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.images:
        told["images"] = [base64.b64encode(each.data).decode() for each in message.images]
    if message.calls:
        told["tool_calls"] = [{"function": {"name": each.name, "arguments": each.arguments}} for each in message.calls]
    if message.answers is not None:
        told["tool_name"] = names[message.answers]
    return told
