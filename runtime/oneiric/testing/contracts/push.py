"""The contract of the port `push`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from oneiric.adapters.push import (
    MAX_SIZE,
    MAX_TTL,
    Device,
    DeviceGone,
    InvalidDevice,
    InvalidPush,
    Push,
    PushClosed,
    PushError,
    Pushes,
    PushMisconfigured,
    PushRefused,
    PushUnavailable,
    RateLimited,
    TooLong,
    payload_of,
)
from oneiric.testing.contracts.networked import NetworkedContract, chain
from oneiric.testing.contracts.running import Contract, cancelled_at_every_step, close, health, started

CANARY = "hunter2-canary"
"""What the pushes of the cases have, and no error may."""

WHOLE = Push("Order 7 é", "It is on its way.\n\N{SNOWMAN}", {"order": "7", "shop.name": "a & b"}, 3600, True, "order-7")
PUSHES = [
    WHOLE,
    Push("A title alone"),
    Push(body="A text alone", ttl=0),
    Push(data={"sync": "now"}),
    Push(data={"sync": "now"}, ttl=MAX_TTL),
    Push("a", collapse="x" * 32, ttl=1.5),
]
WRONG: list[tuple[dict[str, Any], type[InvalidPush]]] = [
    ({"title": "", "data": {}}, InvalidPush),
    ({"title": None}, InvalidPush),
    ({"body": b"bytes"}, InvalidPush),
    ({"body": "\ud800"}, InvalidPush),
    ({"data": {"a": 7}}, InvalidPush),
    ({"data": {7: "a"}}, InvalidPush),
    ({"data": [("a", "b")]}, InvalidPush),
    *(
        ({"data": {name: "a"}}, InvalidPush)
        for name in ("", "aps", "from", "message_type", "google.x", "gcm", "a b", "é")
    ),
    ({"data": {"a" * 65: "a"}}, InvalidPush),
    ({"ttl": -1}, InvalidPush),
    ({"ttl": MAX_TTL + 1}, InvalidPush),
    ({"ttl": float("nan")}, InvalidPush),
    ({"ttl": "60"}, InvalidPush),
    ({"collapse": ""}, InvalidPush),
    ({"collapse": "x" * 33}, InvalidPush),
    ({"collapse": "a b"}, InvalidPush),
    ({"body": "x" * MAX_SIZE}, TooLong),
    ({"data": {"a": "é" * (MAX_SIZE // 2)}}, TooLong),
]
NO_DEVICES: list[Any] = ["", {}, None, 7]
FAULTS: list[tuple[str, type[PushError]]] = [
    ("limited", RateLimited),
    ("failing", PushUnavailable),
    ("moved", PushUnavailable),
    ("dropped", PushUnavailable),
    ("refused", PushRefused),
    ("gone", DeviceGone),
    ("unknown", InvalidDevice),
    ("too long", TooLong),
    ("not taken", InvalidPush),
]


class PushContract(Contract[Pushes]):
    """Cases for what sends pushes: subclass it and override `fresh`, `device` and `received`."""

    def device(self, number: int = 0) -> Device:
        """One of the devices that can be sent to."""
        raise NotImplementedError("override device()")

    def received(self) -> list[tuple[Device, Push]]:
        """What arrived, as the device reads it, first the first; a `ttl` may be some seconds less."""
        raise NotImplementedError("override received()")

    @pytest.mark.parametrize("push", PUSHES)
    def test_a_push_arrives_with_all_its_parts(self, push: Push) -> None:
        async def case(pushes: Pushes) -> None:
            assert await health(pushes)
            accepted = await pushes.send(self.device(), push)
            assert isinstance(accepted.id, str)
            [(device, seen)] = self.received()
            assert device == self.device()
            assert replace(seen, ttl=push.ttl) == push
            assert seen.data == push.data
            assert (seen.ttl == 0) == (push.ttl == 0)
            assert push.ttl - 60 <= seen.ttl < push.ttl + 1

        self.check(case)

    def test_the_longest_arrives_whole(self) -> None:
        async def case(pushes: Pushes) -> None:
            for push in (Push("x"), Push(data={"a": ""})):
                room = MAX_SIZE - len(payload_of(push))
                push = replace(push, body="x" * room) if push.title else replace(push, data={"a": "y" * room})
                await pushes.send(self.device(), push)
                seen = self.received()[-1][1]
                assert (seen.body, seen.data) == (push.body, push.data)

        self.check(case)

    @pytest.mark.parametrize(("wrong", "error"), WRONG, ids=lambda each: ascii(each)[:40])
    def test_what_is_no_push_is_not_sent(self, wrong: dict[str, Any], error: type[InvalidPush]) -> None:
        async def case(pushes: Pushes) -> None:
            given: dict[str, Any] = {"title": CANARY, **wrong}
            with pytest.raises(InvalidPush) as caught:
                await pushes.send(self.device(), Push(**given))
            assert type(caught.value) is error
            assert caught.value.provider
            assert CANARY not in str(caught.value)
            assert self.received() == []

        self.check(case)

    def test_what_is_no_device_is_not_sent_to(self) -> None:
        async def case(pushes: Pushes) -> None:
            for device in NO_DEVICES:
                with pytest.raises(InvalidDevice):
                    await pushes.send(device, WHOLE)
            assert self.received() == []

        self.check(case)

    def test_fifty_at_once_arrive_once_each_at_their_devices(self) -> None:
        async def case(pushes: Pushes) -> None:
            sent = [(self.device(number % 3), Push(f"push {number}")) for number in range(50)]
            accepted = await asyncio.gather(*(pushes.send(*each) for each in sent))
            assert sorted((push.title, str(device)) for device, push in self.received()) == sorted(
                (push.title, str(device)) for device, push in sent
            )
            ids = {each.id for each in accepted}
            assert ids == {""} or len(ids) == 50

        self.check(case)

    def test_a_cancelled_call_leaves_what_works(self) -> None:
        async def case(pushes: Pushes) -> None:
            async for _ in cancelled_at_every_step(lambda: twice(pushes)):
                await pushes.send(self.device(), Push("after"))

        async def twice(pushes: Pushes) -> None:
            await pushes.send(self.device(), Push("first"))
            await asyncio.sleep(0)
            await pushes.send(self.device(1), Push("second"))

        self.check(case)

    def test_closed_it_refuses_every_call_and_closing_twice_is_fine(self) -> None:
        async def case(pushes: Pushes) -> None:
            await close(pushes)
            await close(pushes)
            with pytest.raises(PushClosed):
                await pushes.send(self.device(), WHOLE)
            assert not await health(pushes)
            assert self.received() == []

        self.check(case)


class ServicePushContract(PushContract):
    """The same for what hands pushes to a service, and what that may answer: override `faults`, `answer_with` and
    `attempts`."""

    faults: Mapping[str, Any] = {}
    """Answers by the names of `FAULTS`: 429 and the wish to wait 7 seconds, 500, 302, a connection that is closed, the
    component turned away, a device that is gone for good, one of another app (where the service tells), a push that is
    too long, and one that makes no sense. Their texts have `CANARY`."""

    def answer_with(self, fault: Any) -> None:
        """Let the service answer the next push by one of these."""
        raise NotImplementedError("override answer_with()")

    def attempts(self) -> int:
        """How often a push was handed over, whatever became of it."""
        raise NotImplementedError("override attempts()")

    def test_what_the_service_says_is_the_error_for_it_and_nothing_is_sent_twice(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def case(pushes: Pushes) -> None:
            for number, (fault, error) in enumerate((name, error) for name, error in FAULTS if name in self.faults):
                before = self.attempts()
                self.answer_with(self.faults[fault])
                with pytest.raises(PushError) as caught:
                    await pushes.send(self.device(), Push(CANARY))
                assert type(caught.value) is error, fault
                assert caught.value.provider
                if isinstance(caught.value, RateLimited):
                    assert caught.value.retry_after == 7
                assert self.attempts() == before + 1
                shown = "".join(f"{each}{each!r}{vars(each)}" for each in chain(caught.value))
                assert CANARY not in shown
                await pushes.send(self.device(), Push("again"))
                assert [push.title for _, push in self.received()] == ["again"] * (number + 1)
            assert CANARY not in caplog.text

        caplog.set_level("DEBUG")
        self.check(case)


class NetworkedPushContract(NetworkedContract[Pushes]):
    """Cases for a service that is away or talks badly, besides those of `ServicePushContract`."""

    base = PushError
    unavailable = PushUnavailable
    refusal = PushRefused
    misconfigured = PushMisconfigured

    def device(self) -> Device:
        """One that `component`, which was made last, can send to."""
        raise NotImplementedError("override device()")

    def received(self) -> list[tuple[Device, Push]]:
        """What arrived at any of the servers."""
        raise NotImplementedError("override received()")

    async def use(self, component: Pushes, number: int = 0) -> None:
        await component.send(self.device(), Push(f"number {number}"))
        assert f"number {number}" in [push.title for _, push in self.received()]

    async def prove(self, component: Pushes) -> None:
        await component.send(self.device(), WHOLE)

    def test_a_push_that_broke_off_is_not_sent_again(self) -> None:
        async def case(component: Pushes, proxy: Any) -> None:
            async with started(component):
                await self.use(component)
                before = len(self.received())
                proxy.mood = "half"
                with suppress(PushUnavailable):  # of an answer that is short, half may do
                    await component.send(self.device(), Push("once"))
                proxy.mood = "pass"
                assert [push.title for _, push in self.received()[before:]] == ["once"]

        self.behind(case)
