"""Chats of the server of models: one set of rules, told in the words of OpenAI, of Anthropic and of Ollama.

The model `fine` says `you said: ` and the last text. `MODELS` has the others.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from aiohttp import web

MODELS = {
    "told": "says what it was asked, as JSON: see `told`",
    "long": "ends by its limit of tokens",
    "tools": "calls the first tool twice, with 1 and 2, until it is given results",
    "cut": "ends by its limit of tokens in the middle of a call",
    "nonsense": "calls the first tool with what is not JSON",
    "refuses": "refuses",
    "breaks": "says `you said` and then that it failed",
    "drops": "says `you said` and breaks the connection",
    "ends": "says `you said` and ends without a reason",
    "endless": "does not stop talking",
}
Document: TypeAlias = dict[str, Any]
_OPENAI = {"stop": "stop", "length": "length", "tools": "tool_calls", "refused": "content_filter"}
_ANTHROPIC = {"stop": "end_turn", "length": "max_tokens", "tools": "tool_use", "refused": "refusal"}


class Chat(NamedTuple):
    """What was asked, whatever the words."""

    model: str
    stream: bool
    told: Document
    last: str
    tools: list[str]
    answered: bool


class Answer(NamedTuple):
    """What is answered: text in pieces, calls with the pieces of their arguments, why it ends."""

    pieces: list[str]
    calls: list[tuple[str, str, list[str]]]
    finish: str


def answer_of(chat: Chat) -> Answer:
    said = Answer(["you said", ": ", chat.last], [], "stop")
    match chat.model:
        case "told":
            return Answer([json.dumps(chat.told)], [], "stop")
        case "long":
            return said._replace(finish="length")
        case "refuses":
            return Answer(["no"], [], "refused")
        case "tools" if not chat.answered:
            calls = [(f"id-{number}", chat.tools[0], ['{"n":', f" {number}}}"]) for number in (1, 2)]
            return Answer(["a moment"], calls, "tools")
        case "cut":
            return Answer([], [("id-1", chat.tools[0], ['{"n":', " 1}"]), ("id-2", chat.tools[0], ['{"n'])], "length")
        case "nonsense":
            return Answer([], [("id-1", chat.tools[0], ["[1", "]"])], "tools")
        case _:
            return said


def openai_asked(asked: Document) -> Chat:
    messages = asked["messages"]
    texts, images = _content(messages[-1]["content"])
    told: Document = {
        "system": [each["content"] for each in messages if each["role"] == "system"],
        "roles": [each["role"] for each in messages if each["role"] != "system"],
        "calls": [call["function"]["name"] for each in messages for call in each.get("tool_calls") or ()],
        "results": [[each["tool_call_id"], each["content"]] for each in messages if each["role"] == "tool"],
        "images": [part["image_url"]["url"] for part in images],
        "tools": [each["function"]["name"] for each in asked.get("tools", ())],
        "choice": asked.get("tool_choice"),
        "schema": asked.get("response_format", {}).get("json_schema", {}).get("schema"),
        "max_tokens": asked.get("max_tokens", asked.get("max_completion_tokens")),
        "temperature": asked.get("temperature"),
        "stop": asked.get("stop"),
    }
    return Chat(asked["model"], bool(asked.get("stream")), told, texts, told["tools"], bool(told["results"]))


def anthropic_asked(asked: Document) -> Chat:
    messages = asked["messages"]
    blocks = [block for each in messages for block in each["content"]]
    texts = "".join(block["text"] for block in messages[-1]["content"] if block["type"] == "text")
    sources = [block["source"] for block in blocks if block["type"] == "image"]
    told: Document = {
        "system": asked.get("system", "").split("\n\n") if asked.get("system") else [],
        "roles": [each["role"] for each in messages],
        "calls": [block["name"] for block in blocks if block["type"] == "tool_use"],
        "results": [[each["tool_use_id"], each["content"]] for each in blocks if each["type"] == "tool_result"],
        "images": [f"data:{each['media_type']};base64,{each['data']}" for each in sources],
        "tools": [each["name"] for each in asked.get("tools", ())],
        "choice": asked.get("tool_choice"),
        "schema": asked.get("output_config", {}).get("format", {}).get("schema"),
        "max_tokens": asked["max_tokens"],
        "temperature": asked.get("temperature"),
        "stop": asked.get("stop_sequences"),
    }
    return Chat(asked["model"], bool(asked.get("stream")), told, texts, told["tools"], bool(told["results"]))


def ollama_asked(asked: Document) -> Chat:
    messages, options = asked["messages"], asked["options"]
    told: Document = {
        "system": [each["content"] for each in messages if each["role"] == "system"],
        "roles": [each["role"] for each in messages if each["role"] != "system"],
        "calls": [call["function"]["name"] for each in messages for call in each.get("tool_calls") or ()],
        "results": [[each["tool_name"], each["content"]] for each in messages if each["role"] == "tool"],
        "images": [f"data:;base64,{data}" for each in messages for data in each.get("images", ())],
        "tools": [each["function"]["name"] for each in asked.get("tools", ())],
        "choice": None,
        "schema": asked.get("format"),
        "max_tokens": options.get("num_predict"),
        "temperature": options.get("temperature"),
        "stop": options.get("stop"),
        "num_ctx": options.get("num_ctx"),
    }
    texts = messages[-1]["content"]
    return Chat(asked["model"], asked["stream"], told, texts, told["tools"], bool(told["results"]))


def openai_whole(chat: Chat, answer: Answer) -> Document:
    calls = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": "".join(pieces)}}
        for id, name, pieces in answer.calls
    ]
    message = {
        "role": "assistant",
        "content": "".join(answer.pieces) or None,
        **({"tool_calls": calls} if calls else {}),
    }
    choice = {"index": 0, "message": message, "finish_reason": _OPENAI[answer.finish]}
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 3}}
    return {"object": "chat.completion", "model": chat.model, "choices": [choice], "usage": usage}


def openai_pieces(chat: Chat, answer: Answer) -> Iterator[str]:
    def piece(delta: Mapping[str, object], finish: str | None = None) -> str:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        return _data({"object": "chat.completion.chunk", "model": chat.model, "choices": choices, "usage": None})

    yield piece({"role": "assistant", "content": ""})
    for text in answer.pieces:
        yield piece({"content": text})
    for index, (id, name, pieces) in enumerate(answer.calls):
        begin = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}
        yield piece({"tool_calls": [begin]})
        for part in pieces:
            yield piece({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    yield piece({}, _OPENAI[answer.finish])
    whole = openai_whole(chat, answer)
    yield _data({"object": "chat.completion.chunk", "choices": [], "usage": whole["usage"]})
    yield "data: [DONE]\n\n"


def anthropic_whole(chat: Chat, answer: Answer) -> Document:
    blocks: list[Document] = [{"type": "text", "text": "".join(answer.pieces)}] if answer.pieces else []
    for id, name, pieces in answer.calls:
        try:
            given = json.loads("".join(pieces))
        except ValueError:
            given = {}  # this API has parsed them
        blocks.append({"type": "tool_use", "id": id, "name": name, "input": given})
    usage = {"input_tokens": 4, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 0, "output_tokens": 5}
    told = {"type": "message", "role": "assistant", "model": chat.model, "content": blocks, "usage": usage}
    return {**told, "stop_reason": _ANTHROPIC[answer.finish]}


def anthropic_pieces(chat: Chat, answer: Answer) -> Iterator[str]:
    def event(kind: str, **fields: object) -> str:
        return f"event: {kind}\n{_data({'type': kind, **fields})}"

    whole = anthropic_whole(chat, answer)
    begun: Document = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    yield event("message_start", message=begun)
    yield event("ping")
    index = 0
    if answer.pieces:
        yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for text in answer.pieces:
            yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})
        yield event("content_block_stop", index=0)
        index = 1
    for place, (id, name, pieces) in enumerate(answer.calls, index):
        block: Document = {"type": "tool_use", "id": id, "name": name, "input": {}}
        yield event("content_block_start", index=place, content_block=block)
        for part in pieces:
            yield event("content_block_delta", index=place, delta={"type": "input_json_delta", "partial_json": part})
        yield event("content_block_stop", index=place)
    yield event("message_delta", delta={"stop_reason": whole["stop_reason"]}, usage={"output_tokens": 5})
    yield event("message_stop")


def ollama_whole(chat: Chat, answer: Answer) -> Document:
    whole = anthropic_whole(chat, answer)
    calls = [
        {"function": {"name": block["name"], "arguments": block["input"]}}
        for block in whole["content"]
        if block["type"] == "tool_use"
    ]
    message = {"role": "assistant", "content": "".join(answer.pieces), **({"tool_calls": calls} if calls else {})}
    reason = "length" if answer.finish == "length" else "stop"
    told = {"model": chat.model, "message": message, "done": True, "done_reason": reason}
    return {**told, "prompt_eval_count": 7, "eval_count": 5}


def ollama_pieces(chat: Chat, answer: Answer) -> Iterator[str]:
    whole = ollama_whole(chat, answer)
    for text in answer.pieces:
        yield f"{json.dumps({'model': chat.model, 'message': {'role': 'assistant', 'content': text}, 'done': False})}\n"
    if calls := whole["message"].get("tool_calls"):
        message = {"role": "assistant", "content": "", "tool_calls": calls}
        yield f"{json.dumps({'model': chat.model, 'message': message, 'done': False})}\n"
    yield f"{json.dumps({**whole, 'message': {'role': 'assistant', 'content': ''}})}\n"


DIALECTS = {
    "/v1/chat/completions": (openai_asked, openai_whole, openai_pieces),
    "/v1/messages": (anthropic_asked, anthropic_whole, anthropic_pieces),
    "/api/chat": (ollama_asked, ollama_whole, ollama_pieces),
}


async def answered(request: web.Request, asked: Document) -> web.StreamResponse:
    """The answer to a chat in the words of its address."""
    read, whole, pieces = DIALECTS[request.path]
    chat = read(asked)
    answer = answer_of(chat)
    if not chat.stream:
        return web.json_response(whole(chat, answer))
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    spoilt = chat.model in ("breaks", "drops", "ends", "endless")
    piece = ""
    for piece in pieces(chat, answer):
        await response.write(piece.encode())
        if spoilt and "you said" in piece:
            break
    while chat.model == "endless":
        await response.write(piece.encode())
        await asyncio.sleep(0.005)
    if chat.model == "breaks":
        error = json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "it failed midway"}})
        prefix = "" if request.path == "/api/chat" else "data: "
        await response.write(f"{prefix}{error}\n\n".encode())
    if chat.model == "drops" and request.transport is not None:
        request.transport.abort()
    return response


def _content(content: str | list[Document] | None) -> tuple[str, list[Document]]:
    if not isinstance(content, list):
        return content or "", []
    texts = "".join(part["text"] for part in content if part["type"] == "text")
    return texts, [part for part in content if part["type"] == "image_url"]


def _data(document: Mapping[str, object]) -> str:
    return f"data: {json.dumps(document)}\n\n"
