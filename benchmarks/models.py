"""Calls of models over HTTP beside a bare client that sends and parses the same, on a server that answers in 20 ms."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
from oneiric.adapters.embedding.openai import OpenAIEmbedding
from oneiric.adapters.llm import ChatMessage
from oneiric.adapters.llm.anthropic import AnthropicLLM
from oneiric.adapters.llm.ollama import OllamaLLM
from oneiric.adapters.llm.openai import OpenAILLM
from oneiric.testing.contracts import started

from benchmarks.command import main
from benchmarks.table import Row, Table
from tests.backends.harness.kinds import MODELS
from tests.backends.harness.servers import private

TARGET = 1.05
TEXT = "What is a slot, and who fills it?"
USER = [ChatMessage("user", TEXT)]
ASKED = {"model": "slow", "messages": [{"role": "user", "content": TEXT}], "max_tokens": 100, "options": {}}

Calls = tuple[Callable[[], Awaitable[object]], Callable[[], Awaitable[object]]]


def tables(short: bool) -> Iterator[Table]:
    with private(MODELS) as server:
        rows = asyncio.run(_rows(f"http://{server.host}:{server.port}", short))
    yield Table("Calls of models that answer in 20 ms", "aiohttp by itself, same server, by turns", rows)


async def _rows(url: str, short: bool) -> list[Row]:
    rounds, times = (3, 10) if short else (11, 50)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        connector = aiohttp.TCPConnector(force_close=True)
        brief = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        embedding = await stack.enter_async_context(started(OpenAIEmbedding(model="slow", base_url=f"{url}/v1")))
        openai = await stack.enter_async_context(started(OpenAILLM(model="slow", base_url=f"{url}/v1")))
        anthropic = await stack.enter_async_context(started(AnthropicLLM(model="slow", base_url=url)))
        ollama = await stack.enter_async_context(started(OllamaLLM(model="slow", base_url=url)))

        def raw(path: str, **asked: object) -> Callable[[], Awaitable[object]]:
            async def call() -> object:
                async with session.post(url + path, json={**ASKED, **asked}) as response:
                    return json.loads(await response.read())

            return call

        async def streamed(llm: Any) -> None:
            async for _ in llm.stream(USER):
                pass

        async def streamed_raw() -> None:
            path, asked = "/v1/chat/completions", {**ASKED, "stream": True}
            async with brief.post(url + path, json=asked) as response:
                async for line in response.content:
                    if line.startswith(b"data: {"):
                        json.loads(line[6:])

        content = [{"role": "user", "content": [{"type": "text", "text": TEXT}]}]
        pairs: dict[str, Calls] = {
            "embedding/openai: embed": (lambda: embedding.embed([TEXT]), raw("/v1/embeddings", input=[TEXT])),
            "llm/openai: chat": (lambda: openai.chat(USER), raw("/v1/chat/completions")),
            "llm/openai: stream": (lambda: streamed(openai), streamed_raw),
            "llm/anthropic: chat": (lambda: anthropic.chat(USER), raw("/v1/messages", messages=content)),
            "llm/ollama: chat": (lambda: ollama.chat(USER), raw("/api/chat", stream=False)),
        }
        return [Row(what, "ms", *await _taken(calls, rounds, times), "ratio", TARGET) for what, calls in pairs.items()]


async def _taken(calls: Calls, rounds: int, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds of a call of either side, which take turns; the median of each round."""
    samples: tuple[list[float], list[float]] = [], []
    for _ in range(rounds):
        taken: tuple[list[float], list[float]] = [], []
        for number in range(2 * times):
            side = number % 2
            begun = time.perf_counter_ns()
            await calls[side]()
            taken[side].append((time.perf_counter_ns() - begun) / 1e6)
        for kept, each in zip(samples, taken, strict=True):
            kept.append(sorted(each)[times // 2])
    return samples


if __name__ == "__main__":
    main("models", tables)
