"""The language models: the contracts, and what real servers make of what is asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from oneiric import Secret
from oneiric.adapters.llm import (
    LLM,
    ChatMessage,
    InvalidChat,
    LLMRefused,
    LLMUnavailable,
    RateLimited,
    Reply,
    Tool,
    TooLong,
    Usage,
)
from oneiric.adapters.llm._chats import ChatApi, Said
from oneiric.adapters.llm.anthropic import AnthropicLLM
from oneiric.adapters.llm.ollama import OllamaLLM
from oneiric.adapters.llm.openai import OpenAILLM
from oneiric.testing.contracts import LLMContract, NetworkedLLMContract, started
from oneiric.testing.contracts.llm import PICK, USER, asked, streamed
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT

from tests.backends.activation import Provider, UnreachableCases
from tests.backends.harness.kinds import LLAMA_KEY, MODELS
from tests.backends.harness.servers import Address, Server, private

PATHS: dict[type[ChatApi], str] = {OpenAILLM: "/v1", AnthropicLLM: "", OllamaLLM: ""}
KINDS = pytest.mark.parametrize("kind", PATHS)


def component(kind: Any, address: Address | Server, **settings: Any) -> Any:
    given = {"model": "fine", "base_url": f"http://{address.host}:{address.port}{PATHS[kind]}"}
    return kind(**{**given, "healthcheck_timeout": 30.0, **settings})


class ByTheRules(LLMContract):
    kind: type[ChatApi]

    @pytest.fixture(autouse=True)
    def server(self, models: Address) -> None:
        self.address = models

    def fresh(self) -> AbstractAsyncContextManager[LLM]:
        return started(component(self.kind, self.address, api_key=Secret(SECRET)))


class TestOpenAILLM(ByTheRules):
    kind = OpenAILLM


class TestAnthropicLLM(ByTheRules):
    kind = AnthropicLLM
    gives_reasons = False


class TestOllamaLLM(ByTheRules):
    kind = OllamaLLM
    counts_cached = False
    gives_reasons = False


class Faults(NetworkedLLMContract):
    kind: type[ChatApi]

    @pytest.fixture(autouse=True)
    def server(self, models: Address) -> None:
        self.address = models

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.address)

    def private(self) -> AbstractContextManager[Server]:
        return private(MODELS)

    def component(self, host: str, port: int, **settings: Any) -> Any:
        given = {"timeout": TIMEOUT, "healthcheck_timeout": TIMEOUT, "max_connections": CONNECTIONS}
        return component(self.kind, Address(host, port), **given, **settings)

    @contextmanager
    def refused(self) -> Generator[Any, None, None]:
        def program(python: str, folder: Path, port: int) -> Sequence[str]:
            return [*MODELS.program(python, folder, port), "another"]

        with private(replace(MODELS, program=program)) as server:
            yield self.component(server.host, server.port, api_key=Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], Any]]]:
        def new(**settings: Any) -> Callable[[], Any]:
            return lambda: component(self.kind, Address("localhost", 80), **settings)

        return [
            ("model", new(model="")),
            ("api_key", new(api_key=Secret(""))),
            ("api_key", new(api_key=Secret(f"{SECRET}\n"))),
            ("base_url", new(base_url="localhost")),
            ("base_url", new(base_url=f"http://a:{SECRET}@localhost")),
            ("max_tokens", new(max_tokens=0)),
            ("temperature", new(temperature=2.1)),
            ("ca_file", new(ca_file=Path("/no/such/ca.pem"))),
            ("timeout", new(timeout=0)),
            ("healthcheck_timeout", new(healthcheck_timeout=-1)),
            ("max_connections", new(max_connections=0)),
        ]


class TestOpenAILLMFaults(Faults):
    kind = OpenAILLM

    def senseless(self) -> Sequence[tuple[str, Callable[[], Any]]]:
        return [*super().senseless(), ("organization", lambda: OpenAILLM(model="a", organization="a\nb"))]


class TestAnthropicLLMFaults(Faults):
    kind = AnthropicLLM

    def senseless(self) -> Sequence[tuple[str, Callable[[], Any]]]:
        return [*super().senseless(), ("api_version", lambda: AnthropicLLM(model="a", api_version="a\nb"))]


class TestOllamaLLMFaults(Faults):
    kind = OllamaLLM

    def senseless(self) -> Sequence[tuple[str, Callable[[], Any]]]:
        return [*super().senseless(), ("num_ctx", lambda: OllamaLLM(model="a", num_ctx=0))]


del ByTheRules, Faults


def run(llm: Any, case: Callable[[Any], Any]) -> None:
    async def main() -> None:
        async with started(llm):
            await asyncio.wait_for(case(llm), 60)

    asyncio.run(main())


@pytest.mark.parametrize("kind", [OpenAILLM, AnthropicLLM])
def test_llama_answers_counts_and_ends(kind: Any, llama_chat: Address) -> None:
    async def case(llm: LLM) -> None:
        for answer in (llm.chat, lambda *messages, **options: streamed(llm, *messages, **options)):
            reply: Reply = await answer(USER, max_tokens=5)
            assert (reply.finish, reply.message.role) == ("length", "assistant")
            assert reply.usage is not None
            assert reply.usage.output_tokens == 5
            assert reply.usage.input_tokens >= max(len("hello"), reply.usage.cached_tokens)
        with pytest.raises(TooLong):
            await llm.chat([ChatMessage("user", "word " * 3000)])

    run(component(kind, llama_chat, api_key=Secret(LLAMA_KEY)), case)


@pytest.mark.parametrize("kind", [OpenAILLM, AnthropicLLM])
def test_llama_refuses_a_wrong_key(kind: Any, llama_chat: Address) -> None:
    async def case(llm: LLM) -> None:
        for answer in (llm.chat, lambda messages: streamed(llm, messages)):
            with pytest.raises(LLMRefused) as caught:
                await answer(USER)
            assert caught.value.setting == "api_key"

    llm = component(kind, llama_chat, api_key=Secret(SECRET))
    llm._ask_health = _nothing  # which would find it out before
    run(llm, case)
    with pytest.raises(LLMRefused):
        run(component(kind, llama_chat), case)


async def _nothing() -> None:
    """In place of a health check."""


def test_llama_keeps_to_a_schema(llama_chat: Address) -> None:
    async def case(llm: LLM) -> None:
        schema = {
            "type": "object",
            "properties": {"colour": {"enum": ["red", "blue"]}, "n": {"enum": [1, 2, 3]}},
            "required": ["colour", "n"],
            "additionalProperties": False,
        }
        for answer in (llm.chat, lambda *messages, **options: streamed(llm, *messages, **options)):
            told = (await answer(USER, schema=schema, max_tokens=200)).json()
            assert told["colour"] in ("red", "blue")
            assert told["n"] in (1, 2, 3)

    run(component(OpenAILLM, llama_chat, api_key=Secret(LLAMA_KEY)), case)


@KINDS
def test_aimock_answers_in_both_forms_and_calls_two_tools_at_once(kind: Any, aimock: Address) -> None:
    async def case(llm: LLM) -> None:
        greeting = "Hello, and welcome to the shop by the sea!"
        for answer in (llm.chat, lambda *messages, **options: streamed(llm, *messages, **options)):
            reply: Reply = await answer([ChatMessage("user", "greet me")])
            assert (reply.message.text, reply.finish) == (greeting, "stop")
            tool = Tool("weather", "The weather of a city.", {"type": "object", "properties": {}})
            question = ChatMessage("user", "weather?")
            called: Reply = await answer([question], tools=[tool])
            assert called.finish == "tools"
            assert [call.arguments for call in called.message.calls] == [{"city": "Kiel"}, {"city": "Jena"}]
            results = [ChatMessage("tool", "rain", answers=call.id) for call in called.message.calls]
            told: Reply = await answer([question, called.message, *results], tools=[tool])
            assert told.message.text == "It rains in Kiel."

    run(component(kind, aimock, model="gpt-4"), case)


@KINDS
def test_aimock_fails_as_servers_do(kind: Any, aimock: Address) -> None:
    async def case(llm: LLM) -> None:
        for answer in (llm.chat, lambda *messages: streamed(llm, *messages)):
            with pytest.raises(RateLimited) as caught:
                await answer([ChatMessage("user", "busy?")])
            assert caught.value.retry_after == 1
            with pytest.raises(LLMUnavailable, match="it failed"):
                await answer([ChatMessage("user", "broken?")])
        texts: list[str] = []
        with pytest.raises(LLMUnavailable):
            async for delta in llm.stream([ChatMessage("user", "drop it")]):
                texts += [delta.text]
        assert "".join(texts) in "This is a long sentence that is never said to its end, whatever happens."

    run(component(kind, aimock, model="gpt-4"), case)


def test_choices_of_tools_are_told_in_the_words_of_the_server(models: Address) -> None:
    async def told(kind: Any, choice: str) -> Any:
        async with started(component(kind, models, model="told")) as llm:
            return (await llm.chat(USER, tools=[PICK], choice=choice)).json()["choice"]

    async def main() -> None:
        one = {"type": "function", "function": {"name": "pick"}}
        assert [await told(OpenAILLM, each) for each in ("auto", "none", "required", "pick")] == [
            *("auto", "none", "required"),
            one,
        ]
        assert [await told(AnthropicLLM, each) for each in ("auto", "none", "required", "pick")] == [
            *({"type": "auto"}, {"type": "none"}, {"type": "any"}),
            {"type": "tool", "name": "pick"},
        ]
        for choice in ("required", "pick"):
            with pytest.raises(InvalidChat, match="Ollama"):
                await told(OllamaLLM, choice)

    asyncio.run(main())


def test_ollama_is_told_how_much_the_model_reads(models: Address) -> None:
    async def case(llm: LLM) -> None:
        assert (await asked(llm, USER)).json()["num_ctx"] == 2000

    run(component(OllamaLLM, models, model="told", num_ctx=2000), case)


def test_openai_is_asked_by_the_new_name_of_the_limit_and_others_by_the_old_one() -> None:
    for url, name in (("https://api.openai.com/v1", "max_completion_tokens"), ("https://a.test/v1", "max_tokens")):
        llm = OpenAILLM(model="a", base_url=url, max_tokens=5)
        request = llm._asked(USER, (), "auto", None, None, None, None, (), stream=False)
        assert llm._request(request)[1][name] == 5


def test_what_anthropics_model_thinks_goes_back_as_it_came() -> None:
    llm = AnthropicLLM(model="a")
    thought = {"type": "thinking", "thinking": "well", "signature": "s1"}
    hidden = {"type": "redacted_thinking", "data": "xyz"}
    events = [
        {"type": "message_start", "message": {"model": "a", "usage": {"input_tokens": 2, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "well"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s1"}},
        {"type": "content_block_start", "index": 1, "content_block": hidden},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "1", "name": "pick"}},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
    ]
    said = Said()
    assert [llm._read_piece(said, event) for event in events] == [""] * 7
    request = llm._asked(USER, [PICK], "auto", None, None, None, None, (), stream=False)
    reply = said.reply(request, "anthropic")
    assert reply.usage == Usage(2, 9)
    again = request._replace(messages=[*USER, reply.message, ChatMessage("tool", "5", answers="1")])
    sent = json.loads(json.dumps(llm._request(again)[1]["messages"]))
    assert sent[1]["content"] == [thought, hidden, {"type": "tool_use", "id": "1", "name": "pick", "input": {}}]
    assert "well" not in repr(reply)


class TestActivationOpenAI(UnreachableCases):
    provider = Provider("llm", "openai", "", "base_url", {"model": "a", "base_url": "http://127.0.0.1:PORT/v1"})


class TestActivationAnthropic(UnreachableCases):
    provider = Provider("llm", "anthropic", "", "base_url", {"model": "a", "base_url": "http://127.0.0.1:PORT"})


class TestActivationOllama(UnreachableCases):
    provider = Provider("llm", "ollama", "", "base_url", {"model": "a", "base_url": "http://127.0.0.1:PORT"})
