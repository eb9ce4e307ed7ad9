"""The contract of the port `llm`. Its server is `oneiric.testing.model_server`, whose rules the cases know."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from oneiric.adapters.llm import (
    LLM,
    ChatMessage,
    Image,
    InvalidChat,
    InvalidReply,
    LLMClosed,
    LLMError,
    LLMMisconfigured,
    LLMRefused,
    LLMUnavailable,
    RateLimited,
    Reply,
    Tool,
    TooLong,
    UnknownModel,
    Usage,
)
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, NetworkedContract
from oneiric.testing.contracts.running import Contract, close, started
from oneiric.testing.proxy import Proxy

USER = [ChatMessage("user", "hello")]
PICK = Tool("pick", "Picks a number.", {"type": "object", "properties": {"n": {"type": "integer"}}})
SCHEMA = {"type": "object", "properties": {"system": {"type": "array"}}}

ERRORS = [
    ("status-400", InvalidChat),
    ("status-401", LLMRefused),
    ("status-403", LLMRefused),
    ("status-404", UnknownModel),
    ("no-such", UnknownModel),
    ("status-422", InvalidChat),
    ("status-429", RateLimited),
    ("status-500", LLMUnavailable),
    ("status-503", LLMUnavailable),
    ("status-529", LLMUnavailable),
    ("status-302", LLMUnavailable),
    ("in-200", LLMUnavailable),
]


async def streamed(llm: LLM, messages: Sequence[ChatMessage], **options: Any) -> Reply:
    """The reply at the end of a stream, whose pieces have its text."""
    pieces = [delta async for delta in llm.stream(messages, **options)]
    assert [piece.reply for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
    reply = pieces[-1].reply
    assert reply is not None and not pieces[-1].text
    assert "".join(piece.text for piece in pieces) == reply.message.text
    return reply


async def asked(llm: LLM, messages: Sequence[ChatMessage], **options: Any) -> Reply:
    """The same reply at once and in pieces."""
    reply = await llm.chat(messages, **options)
    assert await streamed(llm, messages, **options) == reply
    return reply


class LLMContract(Contract[LLM]):
    """Cases for a language model whose component has the model `fine`, the key `SECRET` and no retries in its way."""

    counts_cached = True
    """Whether the server tells how many tokens it had already."""
    gives_reasons = True
    """Whether it tells a refusal, and a call that is no JSON, from what a model says otherwise."""

    def test_a_reply_is_whole_and_in_pieces_the_same(self) -> None:
        async def case(llm: LLM) -> None:
            reply = await asked(llm, [ChatMessage("system", "Be kind."), ChatMessage("user", "naïve 🎈\n\ncafé")])
            assert reply.message == ChatMessage("assistant", "you said: naïve 🎈\n\ncafé")
            assert (reply.finish, reply.model) == ("stop", "fine")
            assert reply.usage == Usage(7, 5, 3 if self.counts_cached else 0)
            pieces = [delta.text async for delta in llm.stream(USER)]
            assert pieces == ["you said", ": ", "hello", ""]

        self.check(case)

    def test_everything_that_is_asked_reaches_the_server(self) -> None:
        async def case(llm: LLM) -> None:
            messages = [
                ChatMessage("system", "one"),
                ChatMessage("user", "what is it?", images=(Image(b"\0\1", "image/png"),)),
            ]
            options: dict[str, Any] = {"max_tokens": 9, "temperature": 0.5, "stop": ["END"], "schema": SCHEMA}
            told = (await asked(llm, messages, model="told", tools=[PICK], **options)).json()
            assert (told["system"], told["roles"], told["tools"]) == (["one"], ["user"], ["pick"])
            assert (told["max_tokens"], told["temperature"], told["stop"]) == (9, 0.5, ["END"])
            assert told["schema"] == SCHEMA
            assert [each.partition(";")[2] for each in told["images"]] == ["base64,AAE="]
            plain = (await asked(llm, USER, model="told")).json()
            assert (plain["temperature"], plain["stop"], plain["schema"], plain["tools"]) == (None, None, None, [])

        self.check(case)

    def test_what_ends_by_its_limit_is_never_complete(self) -> None:
        async def case(llm: LLM) -> None:
            reply = await asked(llm, USER, model="long")
            assert (reply.finish, reply.message.text) == ("length", "you said: hello")
            with pytest.raises(InvalidReply, match="not complete"):
                reply.json()
            cut = await asked(llm, USER, model="cut", tools=[PICK])
            assert (cut.finish, cut.message.calls) == ("length", ())
            with pytest.raises(InvalidReply, match="not JSON"):
                (await llm.chat(USER)).json()

        self.check(case)

    def test_tools_are_called_several_at_once_and_their_results_understood(self) -> None:
        async def case(llm: LLM) -> None:
            reply = await asked(llm, USER, model="tools", tools=[PICK])
            assert (reply.finish, reply.message.text) == ("tools", "a moment")
            assert [(call.name, call.arguments) for call in reply.message.calls] == [
                ("pick", {"n": 1}),
                ("pick", {"n": 2}),
            ]
            assert len({call.id for call in reply.message.calls}) == 2
            results = [ChatMessage("tool", f"result {call.id}", answers=call.id) for call in reply.message.calls]
            talk = [*USER, reply.message, *results]
            told = (await asked(llm, talk, model="told", tools=[PICK])).json()
            assert told["calls"] == ["pick", "pick"]
            assert [text for _, text in told["results"]] == [message.text for message in results]
            assert told["results"][0][0] in (reply.message.calls[0].id, "pick")
            assert (await asked(llm, [*talk, *USER], model="tools", tools=[PICK])).message.text == "you said: hello"

        self.check(case)

    def test_calls_that_are_nonsense_and_refusals_are_told(self) -> None:
        async def case(llm: LLM) -> None:
            assert (await asked(llm, USER, model="refuses")).finish == "refused"
            for answer in (llm.chat, streamed_by(llm)):
                with pytest.raises(InvalidReply):
                    await answer(USER, model="nonsense", tools=[PICK])

        if self.gives_reasons:
            self.check(case)

    @pytest.mark.parametrize(("model", "error"), ERRORS)
    def test_what_is_no_reply_is_the_error_for_it(self, model: str, error: type[LLMError]) -> None:
        async def case(llm: LLM) -> None:
            for answer in (llm.chat, streamed_by(llm)):
                with pytest.raises(error) as caught:
                    await answer(USER, model=model)
                assert type(caught.value) is error
                assert caught.value.provider
                if isinstance(caught.value, RateLimited):
                    assert caught.value.retry_after == 7

        self.check(case)

    @pytest.mark.parametrize("model", ["breaks", "drops", "ends"])
    def test_a_stream_that_breaks_off_raises_after_what_it_said(self, model: str) -> None:
        async def case(llm: LLM) -> None:
            texts: list[str] = []
            with pytest.raises(LLMUnavailable):
                async for delta in llm.stream(USER, model=model):
                    assert delta.reply is None
                    texts.append(delta.text)
            assert texts in (["you said"], [])  # a connection that breaks may take with it what came just before

        self.check(case)

    def test_too_much_is_refused_and_the_key_is_in_no_text(self, caplog: pytest.LogCaptureFixture) -> None:
        async def case(llm: LLM) -> None:
            for answer in (llm.chat, streamed_by(llm)):
                with pytest.raises(TooLong) as caught:
                    await answer([ChatMessage("user", "word " * 5000)])
                assert SECRET not in f"{caught.value!r}{caught.value}{vars(llm)}{caplog.text}"

        caplog.set_level("DEBUG")
        self.check(case)

    @pytest.mark.parametrize(
        ("messages", "options"),
        [
            ([], {}),
            ([ChatMessage("system", "alone")], {}),
            ([ChatMessage("user", "")], {}),
            ([ChatMessage("user", "\ud800")], {}),
            ([ChatMessage("other", "a")], {}),  # type: ignore[arg-type]  # what a caller without types may do
            ([*USER, ChatMessage("tool", "a", answers="nobody")], {}),
            ([*USER, ChatMessage("tool", "a")], {}),
            ([ChatMessage("user", "a", answers="a")], {}),
            ([ChatMessage("assistant", "a", images=(Image(b"", "image/png"),))], {}),
            (USER, {"choice": "required"}),
            (USER, {"choice": "other", "tools": [PICK]}),
            (USER, {"tools": [PICK, PICK]}),
            (USER, {"max_tokens": 0}),
            (USER, {"temperature": 3}),
            (USER, {"stop": "END"}),
            (USER, {"model": ""}),
            (USER, {"timeout": 0}),
        ],
        ids=str,
    )
    def test_what_makes_no_sense_is_not_sent(self, messages: Any, options: Any) -> None:
        async def case(llm: LLM) -> None:
            for answer in (llm.chat, streamed_by(llm)):
                with pytest.raises(InvalidChat):
                    await answer(messages, **options)

        self.check(case)

    def test_what_was_closed_says_so(self) -> None:
        async def case(llm: LLM) -> None:
            stream = llm.stream(USER, model="endless")
            assert (await anext(stream)).text
            await close(llm)
            with pytest.raises(LLMClosed):
                async for _ in stream:
                    pass
            for answer in (llm.chat, streamed_by(llm)):
                with pytest.raises(LLMClosed):
                    await answer(USER)

        self.check(case)


def streamed_by(llm: LLM) -> Any:
    """`streamed`, called as `chat` is."""

    async def answer(messages: Sequence[ChatMessage], **options: Any) -> Reply:
        return await streamed(llm, messages, **options)

    return answer


class NetworkedLLMContract(NetworkedContract[LLM]):
    """Cases for a language model whose server is away or talks badly, besides those of `LLMContract`."""

    base = LLMError
    unavailable = LLMUnavailable
    refusal = LLMRefused
    misconfigured = LLMMisconfigured

    async def use(self, component: LLM, number: int = 0) -> None:
        """Every other one as a stream."""
        messages = [ChatMessage("user", f"number {number}")]
        answer = component.chat if number % 2 == 0 else streamed_by(component)
        reply: Reply = await answer(messages)
        assert reply.message.text == f"you said: number {number}"

    async def patiently(self, component: LLM, number: int) -> None:
        """Its server is a process beside the case: on a busy machine it may need more than `TIMEOUT`."""
        await self.recovers(component, number)

    def test_streams_that_are_left_or_cancelled_give_their_connections_back(self) -> None:
        async def listen(component: LLM) -> None:
            async for _ in component.stream(USER, model="endless"):
                listening.set()

        async def case(component: LLM, proxy: Proxy) -> None:
            async with started(component):
                for number in range(2 * CONNECTIONS):
                    stream: Any = component.stream(USER, model="endless")
                    assert (await anext(stream)).text
                    await stream.aclose()
                    await self.patiently(component, number)
                for number in range(2 * CONNECTIONS):
                    listening.clear()
                    listener = asyncio.ensure_future(listen(component))
                    await listening.wait()
                    listener.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await listener
                    await self.patiently(component, number)
                assert proxy.connections <= CONNECTIONS

        listening = asyncio.Event()
        self.behind(case)

    def test_a_stream_that_goes_silent_ends(self) -> None:
        async def case(component: LLM, proxy: Proxy) -> None:
            async with started(component):
                with pytest.raises(LLMUnavailable) as caught:
                    async for _ in component.stream(USER, model="endless"):
                        proxy.mood = "hang"
                assert caught.value.setting == "timeout"
                proxy.mood = "pass"
                await self.recovers(component)

        self.behind(case)
