"""The contract of the port `chat`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from oneiric.adapters.chat import (
    LEVELS,
    MAX_CHANNEL,
    MAX_FIELDS,
    MAX_SIZE,
    MAX_TEXT,
    MAX_TITLE,
    MAX_VALUE,
    ChatClosed,
    ChatError,
    ChatMisconfigured,
    ChatRefused,
    ChatUnavailable,
    InvalidNotice,
    Notice,
    Notices,
    RateLimited,
    TooLong,
)
from oneiric.testing.contracts.networked import NetworkedContract, chain
from oneiric.testing.contracts.running import Contract, cancelled_at_every_step, close, health, started

CANARY = "hunter2-canary"
"""What the notices of the cases have, and no error may."""
MARKUP = "<!channel> *bold* _it_ `code` [a](http://b.example) &amp; \\ :x: @here # é \N{SNOWMAN} <script>"

WRONG: list[tuple[dict[str, Any], type[InvalidNotice]]] = [
    ({"text": ""}, InvalidNotice),
    ({"text": " \n"}, InvalidNotice),
    ({"text": None}, InvalidNotice),
    ({"text": b"bytes"}, InvalidNotice),
    ({"text": "a\0b"}, InvalidNotice),
    ({"text": "\ud800"}, InvalidNotice),
    ({"text": "x" * (MAX_TEXT + 1)}, TooLong),
    ({"title": None}, InvalidNotice),
    ({"title": " "}, InvalidNotice),
    ({"title": "a\nb"}, InvalidNotice),
    ({"title": "x" * (MAX_TITLE + 1)}, TooLong),
    ({"level": "loud"}, InvalidNotice),
    ({"level": []}, InvalidNotice),
    ({"channel": ""}, InvalidNotice),
    ({"channel": 7}, InvalidNotice),
    ({"channel": "x" * (MAX_CHANNEL + 1)}, TooLong),
    ({"fields": [("a", "b")]}, InvalidNotice),
    ({"fields": {"": "b"}}, InvalidNotice),
    ({"fields": {"a\r\nb": "b"}}, InvalidNotice),
    ({"fields": {"a": ""}}, InvalidNotice),
    ({"fields": {"a": 7}}, InvalidNotice),
    ({"fields": {"a": "x" * (MAX_VALUE + 1)}}, TooLong),
    ({"fields": {f"name {number}": "a" for number in range(MAX_FIELDS + 1)}}, TooLong),
    ({"fields": {f"name {number}": "é" * (MAX_SIZE // 18) for number in range(MAX_FIELDS)}}, TooLong),
]
FAULTS: list[tuple[str, type[ChatError]]] = [
    ("limited", RateLimited),
    ("failing", ChatUnavailable),
    ("moved", ChatUnavailable),
    ("dropped", ChatUnavailable),
    ("refused", ChatRefused),
    ("too long", TooLong),
    ("not taken", InvalidNotice),
]


class ChatContract(Contract[Notices]):
    """Cases for what sends notices: subclass it and override `fresh` and `received`."""

    names_channels = True
    """Whether a notice may name a channel; the component has another one by default, or none."""

    def received(self) -> list[Notice]:
        """What arrived, as people would read it, first the first."""
        raise NotImplementedError("override received()")

    def test_a_notice_arrives_with_all_its_parts(self) -> None:
        async def case(notices: Notices) -> None:
            assert await health(notices)
            fields = {"order": "7", "shop": "a & b"}
            await notices.send("It is *late*.", title="Order <7>", level="warning", fields=fields)
            [seen] = self.received()
            assert (seen.text, seen.title, seen.level) == ("It is *late*.", "Order <7>", "warning")
            assert list(seen.fields.items()) == [*fields.items()]

        self.check(case)

    @pytest.mark.parametrize("level", LEVELS)
    def test_a_text_alone_will_do_at_every_level(self, level: Any) -> None:
        async def case(notices: Notices) -> None:
            await notices.send("Hello.", level=level)
            [seen] = self.received()
            assert (seen.text, seen.title, seen.level, seen.fields) == ("Hello.", "", level, {})

        self.check(case)

    def test_texts_are_plain_whatever_they_look_like(self) -> None:
        async def case(notices: Notices) -> None:
            lines = f"{MARKUP}\n\n - second\tline\n> {MARKUP}"
            await notices.send(lines, title=MARKUP, fields={MARKUP: lines})
            [seen] = self.received()
            assert (seen.text, seen.title, seen.fields) == (lines, MARKUP, {MARKUP: lines})

        self.check(case)

    def test_a_channel_is_the_one_that_is_named_or_cannot_be(self) -> None:
        async def case(notices: Notices) -> None:
            if not self.names_channels:
                with pytest.raises(InvalidNotice):
                    await notices.send("Hello.", channel="ops")
                assert self.received() == []
                return
            await notices.send("Hello.", channel="ops")
            assert self.received()[0].channel == "ops"

        self.check(case)

    def test_the_longest_texts_arrive_whole(self) -> None:
        async def case(notices: Notices) -> None:
            text, title, value = "é" * MAX_TEXT, "x" * MAX_TITLE, "y" * MAX_VALUE
            await notices.send(text, title=title, level="error", fields={"name": value, "n" * MAX_TITLE: "z"})
            [seen] = self.received()
            assert (seen.text, seen.title, seen.fields) == (text, title, {"name": value, "n" * MAX_TITLE: "z"})
            fields = {f"name {number}": "x" * 900 for number in range(MAX_FIELDS)}
            await notices.send("x", fields=fields)
            assert self.received()[1].fields == fields

        self.check(case)

    @pytest.mark.parametrize(("wrong", "error"), WRONG, ids=lambda each: ascii(each)[:40])
    def test_what_is_no_notice_is_not_sent(self, wrong: dict[str, Any], error: type[InvalidNotice]) -> None:
        async def case(notices: Notices) -> None:
            given: dict[str, Any] = {"text": CANARY, "title": CANARY, **wrong}
            with pytest.raises(InvalidNotice) as caught:
                await notices.send(**given)
            assert type(caught.value) is error
            assert caught.value.provider
            assert CANARY not in str(caught.value)
            assert self.received() == []

        self.check(case)

    def test_fifty_at_once_arrive_once_each(self) -> None:
        async def case(notices: Notices) -> None:
            texts = [f"notice {number}" for number in range(50)]
            accepted = await asyncio.gather(*map(notices.send, texts))
            assert sorted(seen.text for seen in self.received()) == sorted(texts)
            ids = [each.id for each in accepted]
            assert set(ids) == {""} or len(set(ids)) == 50

        self.check(case)

    def test_a_cancelled_call_leaves_what_works(self) -> None:
        async def case(notices: Notices) -> None:
            async for _ in cancelled_at_every_step(lambda: twice(notices)):
                await notices.send("after")
            assert {seen.text for seen in self.received()} <= {"first", "second", "after"}

        async def twice(notices: Notices) -> None:
            await notices.send("first")
            await asyncio.sleep(0)
            await notices.send("second")

        self.check(case)

    def test_closed_it_refuses_every_call_and_closing_twice_is_fine(self) -> None:
        async def case(notices: Notices) -> None:
            await close(notices)
            await close(notices)
            with pytest.raises(ChatClosed):
                await notices.send("Hello.")
            assert not await health(notices)
            assert self.received() == []

        self.check(case)


class ServiceChatContract(ChatContract):
    """The same for what posts to a service, and what the service may answer: override `answer_with` and `attempts`."""

    def answer_with(self, fault: str) -> None:
        """Let the service answer the next notice by one of `FAULTS`: with 429 and the wish to wait 7 seconds, with 500,
        with 302, by closing the connection, by turning the component away, by saying that the notice is too long or
        that it makes no sense. Its text has `CANARY`, where it has one."""
        raise NotImplementedError("override answer_with()")

    def attempts(self) -> int:
        """How often a notice was posted, whatever became of it."""
        raise NotImplementedError("override attempts()")

    @pytest.mark.parametrize(("fault", "error"), FAULTS)
    def test_what_the_service_says_is_the_error_for_it_and_nothing_is_sent_twice(
        self, fault: str, error: type[ChatError], caplog: pytest.LogCaptureFixture
    ) -> None:
        async def case(notices: Notices) -> None:
            self.answer_with(fault)
            with pytest.raises(ChatError) as caught:
                await notices.send("Hello.", title=CANARY)
            assert type(caught.value) is error
            assert caught.value.provider
            if isinstance(caught.value, RateLimited):
                assert caught.value.retry_after == 7
            assert self.attempts() == 1
            shown = "".join(f"{each}{each!r}{vars(each)}" for each in chain(caught.value))
            assert CANARY not in shown + caplog.text
            await notices.send("Again.")
            assert [seen.text for seen in self.received()] == ["Again."]

        caplog.set_level("DEBUG")
        self.check(case)


class NetworkedChatContract(NetworkedContract[Notices]):
    """Cases for a service that is away or talks badly, besides those of `ServiceChatContract`."""

    base = ChatError
    unavailable = ChatUnavailable
    refusal = ChatRefused
    misconfigured = ChatMisconfigured

    def received(self) -> list[Notice]:
        """What arrived at any of the servers."""
        raise NotImplementedError("override received()")

    async def use(self, component: Notices, number: int = 0) -> None:
        await component.send(f"number {number}")
        assert f"number {number}" in [seen.text for seen in self.received()]

    async def prove(self, component: Notices) -> None:
        await component.send("Hello.")

    def test_a_notice_that_broke_off_is_not_sent_again(self) -> None:
        async def case(component: Notices, proxy: Any) -> None:
            async with started(component):
                before = len(self.received())
                proxy.mood = "half"
                with suppress(ChatUnavailable):  # of an answer that is short, half may do
                    await component.send("once")
                proxy.mood = "pass"
                assert [seen.text for seen in self.received()[before:]] == ["once"]

        self.behind(case)
