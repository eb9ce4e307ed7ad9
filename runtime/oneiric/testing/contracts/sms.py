"""The contract of the port `sms`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from oneiric.adapters.sms import (
    MAX_TEXT,
    InvalidNumber,
    InvalidText,
    RateLimited,
    Sms,
    SmsClosed,
    SmsError,
    SmsMisconfigured,
    SmsRefused,
    SmsUnavailable,
    Texts,
    TooLong,
    Unsubscribed,
)
from oneiric.testing.contracts.networked import NetworkedContract, chain
from oneiric.testing.contracts.running import Contract, cancelled_at_every_step, close, health, started

CANARY = "hunter2-canary"
"""What the texts of the cases have, and no error may."""
NUMBER = "+4915112345678"
TEXTS = (
    "Hello.",
    "a & b=c%20d + e\r\nsecond line\ttab \u00a0",
    "é ñ 日本語 \N{SNOWMAN} \N{PILE OF POO}",
    "x" * MAX_TEXT,
    "\N{PILE OF POO}" * (MAX_TEXT // 2),
)
WRONG: list[tuple[Any, Any, type[SmsError]]] = [
    *(
        (number, CANARY, InvalidNumber)
        for number in ("", "4915112345678", "+0915112345678", "+49 151 1234", "+49", "+1234567890123456", "+٤٩١٥١١٢٣٤٥")
    ),
    *(
        (number, CANARY, InvalidNumber)
        for number in ("+4915112345678\n", "+4915112345678&Body=x", "ada", None, 4915112345678)
    ),
    *((NUMBER, text, InvalidText) for text in ("", " \n", None, b"bytes", f"{CANARY}\0", f"{CANARY}\ud800")),
    (NUMBER, CANARY + "x" * MAX_TEXT, TooLong),
    (NUMBER, "\N{PILE OF POO}" * (MAX_TEXT // 2 + 1), TooLong),
]
FAULTS: list[tuple[str, type[SmsError]]] = [
    ("limited", RateLimited),
    ("failing", SmsUnavailable),
    ("moved", SmsUnavailable),
    ("dropped", SmsUnavailable),
    ("refused", SmsRefused),
    ("number", InvalidNumber),
    ("unsubscribed", Unsubscribed),
    ("too long", TooLong),
    ("not taken", InvalidText),
]


class SmsContract(Contract[Texts]):
    """Cases for what sends texts to phones: subclass it and override `fresh` and `received`."""

    def received(self) -> list[Sms]:
        """What arrived, first the first."""
        raise NotImplementedError("override received()")

    def test_texts_arrive_as_they_are(self) -> None:
        async def case(texts: Texts) -> None:
            assert await health(texts)
            for text in TEXTS:
                assert isinstance((await texts.send(NUMBER, text)).id, str)
            assert self.received() == [(NUMBER, text) for text in TEXTS]

        self.check(case)

    def test_what_cannot_be_sent_is_not_sent(self) -> None:
        async def case(texts: Texts) -> None:
            for number, text, error in WRONG:
                with pytest.raises(SmsError) as caught:
                    await texts.send(number, text)
                assert type(caught.value) is error, (number, text)
                assert caught.value.provider
                assert not any(told in str(caught.value) for told in (CANARY, "4915"))
            assert self.received() == []

        self.check(case)

    def test_fifty_at_once_arrive_once_each(self) -> None:
        async def case(texts: Texts) -> None:
            sent = [Sms(f"+49151000000{number}", f"text {number}") for number in range(50)]
            accepted = await asyncio.gather(*(texts.send(*each) for each in sent))
            assert sorted(self.received()) == sorted(sent)
            ids = {each.id for each in accepted}
            assert ids == {""} or len(ids) == 50

        self.check(case)

    def test_a_cancelled_call_leaves_what_works(self) -> None:
        async def case(texts: Texts) -> None:
            async for _ in cancelled_at_every_step(lambda: twice(texts)):
                await texts.send(NUMBER, "after")
            assert {seen.text for seen in self.received()} <= {"first", "second", "after"}

        async def twice(texts: Texts) -> None:
            await texts.send(NUMBER, "first")
            await asyncio.sleep(0)
            await texts.send(NUMBER, "second")

        self.check(case)

    def test_closed_it_refuses_every_call_and_closing_twice_is_fine(self) -> None:
        async def case(texts: Texts) -> None:
            await close(texts)
            await close(texts)
            with pytest.raises(SmsClosed):
                await texts.send(NUMBER, "x")
            assert not await health(texts)
            assert self.received() == []

        self.check(case)


class ServiceSmsContract(SmsContract):
    """The same for what hands texts to a service, and what that may answer: override `faults`, `answer_with` and
    `attempts`."""

    faults: Mapping[str, Any] = {}
    """Answers by the names of `FAULTS`: 429 and the wish to wait 7 seconds, 500, 302, a connection that is closed, the
    component turned away, a number that gets no texts, one that wants no more, a text that is too long, and one that is
    not taken. Their texts have `CANARY`."""

    def answer_with(self, fault: Any) -> None:
        """Let the service answer the next text by one of these."""
        raise NotImplementedError("override answer_with()")

    def attempts(self) -> int:
        """How often a text was handed over, whatever became of it."""
        raise NotImplementedError("override attempts()")

    def test_what_the_service_says_is_the_error_for_it_and_nothing_is_sent_twice(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def case(texts: Texts) -> None:
            for number, (fault, error) in enumerate((name, error) for name, error in FAULTS if name in self.faults):
                before = self.attempts()
                self.answer_with(self.faults[fault])
                with pytest.raises(SmsError) as caught:
                    await texts.send(NUMBER, CANARY)
                assert type(caught.value) is error, fault
                assert caught.value.provider
                if isinstance(caught.value, RateLimited):
                    assert caught.value.retry_after == 7
                assert self.attempts() == before + 1
                shown = "".join(f"{each}{each!r}{vars(each)}" for each in chain(caught.value)) + caplog.text
                assert not any(told in shown for told in (CANARY, NUMBER))
                await texts.send(NUMBER, "again")
                assert [seen.text for seen in self.received()] == ["again"] * (number + 1)

        caplog.set_level("DEBUG")
        self.check(case)


class NetworkedSmsContract(NetworkedContract[Texts]):
    """Cases for a service that is away or talks badly, besides those of `ServiceSmsContract`."""

    base = SmsError
    unavailable = SmsUnavailable
    refusal = SmsRefused
    misconfigured = SmsMisconfigured

    def received(self) -> list[Sms]:
        """What arrived at any of the servers."""
        raise NotImplementedError("override received()")

    async def use(self, component: Texts, number: int = 0) -> None:
        await component.send(NUMBER, f"number {number}")
        assert f"number {number}" in [seen.text for seen in self.received()]

    def test_a_text_that_broke_off_is_not_sent_again(self) -> None:
        async def case(component: Texts, proxy: Any) -> None:
            async with started(component):
                before = len(self.received())
                proxy.mood = "half"
                with suppress(SmsUnavailable):  # of an answer that is short, half may do
                    await component.send(NUMBER, "once")
                proxy.mood = "pass"
                assert [seen.text for seen in self.received()[before:]] == ["once"]

        self.behind(case)
