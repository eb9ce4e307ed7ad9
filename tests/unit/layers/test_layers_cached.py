"""The layer `cached`: by equal arguments, for a time, so many; callers share a call that none of them ends alone."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any

import pytest
from oneiric import errors
from oneiric.layers.cached import cached

from tests.unit.layers.layered import Down, Hang, Scripted, through
from tests.unit.layers.virtual import now

MINUTE = partial(cached, methods=["find", "get"], ttl=timedelta(minutes=1))


def counted(script: Scripted) -> int:
    return sum(what in ("find", "get") for what in script.log)


def test_a_result_is_kept_for_its_time() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        assert await layer.find("a") == "one"
        await asyncio.sleep(59.9)
        assert await layer.find("a") == "one"
        await asyncio.sleep(0.1)
        assert await layer.find("a") == "two"
        assert counted(script) == 2

    through(MINUTE, story, "one", "two")


def test_none_is_a_result_unless_it_is_not_to_be_kept() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        assert [await layer.find("a") for _ in range(3)] == [None] * 3
        assert counted(script) == 1

    async def not_kept(layer: Any, script: Scripted) -> None:
        assert [await layer.find("a") for _ in range(4)] == [None, None, 0, 0]
        assert counted(script) == 3

    through(MINUTE, story, None, "not asked for")
    through(partial(MINUTE, keep_none=False), not_kept, None, None, 0)


def test_errors_are_not_kept() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        for _ in range(2):
            with pytest.raises(Down):
                await layer.find("a")
        assert await layer.find("a") == "there"
        assert await layer.find("a") == "there"
        assert counted(script) == 3

    through(MINUTE, story, Down(), Down(), "there")


def test_equal_arguments_are_equal_however_they_are_written() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        same: tuple[Any, ...] = (
            lambda: layer.find("a"),
            lambda: layer.find("a", False),
            lambda: layer.find("a", flag=False),
            lambda: layer.find(name="a", limit=None),
            lambda: layer.find(limit=None, flag=False, name="a"),
        )
        assert {await each() for each in same} == {"find"}
        assert counted(script) == 1
        others: tuple[Any, ...] = (
            lambda: layer.get("a", b=1, c=2),
            lambda: layer.get("a", c=2, b=1),
            lambda: layer.get("a", times=1, b=1, c=2),
        )
        for each in others:
            await each()
        assert counted(script) == 2
        collections: tuple[Any, ...] = ([1, [2]], {"x": {1: [2]}}, {1, 2}, bytearray(b"ab"))
        for held in collections:
            await layer.find(held)
            await layer.find(type(held)(held))
        assert counted(script) == 6
        await layer.find({"x": 1, "y": 2})
        await layer.find({"y": 2, "x": 1})
        assert counted(script) == 7

    through(MINUTE, story)


class Name(StrEnum):
    A = "a"


def test_arguments_that_are_not_the_same_are_not_taken_for_it() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        calls: list[Any] = [
            lambda: layer.find("a"),
            lambda: layer.find("b"),
            lambda: layer.find(b"a"),
            lambda: layer.find(Name.A),
            lambda: layer.find(1),
            lambda: layer.find(True),
            lambda: layer.find(1.0),
            lambda: layer.find([1]),
            lambda: layer.find([True]),
            lambda: layer.find((1,)),
            lambda: layer.find([[1]]),
            lambda: layer.find({1}),
            lambda: layer.find({1: 1}),
            lambda: layer.find({1: True}),
            lambda: layer.find("a", True),
            lambda: layer.find("a", 1),
            lambda: layer.find("a", limit=True),
            lambda: layer.get("a"),
            lambda: layer.get("a", 1),
            lambda: layer.get("a", 1, 2),
            lambda: layer.get("a", (1, 2)),
            lambda: layer.get("a", times=2),
            lambda: layer.get("a", more=1),
            lambda: layer.get("a", key=1),
        ]
        for _ in range(2):
            for call in calls:
                await call()
        assert counted(script) == len(calls)

    through(MINUTE, story)


class Unhashable:
    __hash__ = None  # type: ignore[assignment]


async def pieces() -> AsyncIterator[bytes]:
    yield b""


def test_what_cannot_be_compared_is_asked_each_time_and_not_kept() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        endless: list[Any] = []
        endless.append(endless)
        for number, argument in enumerate((Unhashable(), [Unhashable()], iter("ab"), pieces(), [iter("a")], endless)):
            await layer.find(argument)
            await layer.find(argument)
            assert counted(script) == 2 * (number + 1)
        assert not layer._layer._kept

    through(MINUTE, story)


def test_callers_at_the_same_time_share_one_call() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        answer = asyncio.get_running_loop().create_future()
        script.outcomes = [lambda: answer]
        calls = [asyncio.create_task(layer.find("a")) for _ in range(1000)]
        await asyncio.sleep(1)
        answer.set_result(["object"])
        told = await asyncio.gather(*calls)
        assert all(each is told[0] for each in told)
        assert counted(script) == 1
        assert not layer._layer._under_way

    through(MINUTE, story)


def test_callers_at_the_same_time_share_an_error_and_the_next_one_asks_again() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        answer = asyncio.get_running_loop().create_future()
        script.outcomes = [lambda: answer, "there"]
        calls = [asyncio.create_task(layer.find("a")) for _ in range(10)]
        await asyncio.sleep(1)
        answer.set_exception(Down())
        told = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(each) for each in told} == {Down}
        assert counted(script) == 1
        assert await layer.find("a") == "there"

    through(MINUTE, story)


@pytest.mark.parametrize("first", range(3))
def test_no_single_callers_cancel_ends_a_call_and_the_last_ones_does(first: int) -> None:
    async def story(layer: Any, script: Scripted) -> None:
        calls = [asyncio.create_task(layer.find("a")) for _ in range(3)]
        await asyncio.sleep(1)
        order = [*calls[first:], *calls[:first]]
        for number, each in enumerate(order):
            assert script.under_way == 1
            each.cancel()
            with pytest.raises(asyncio.CancelledError):
                await each
            assert script.under_way == (number < 2)
        assert script.log == ["find", "find cancelled"]
        assert await layer.find("a") == "there"
        assert await layer.find("a") == "there"
        assert counted(script) == 2

    through(MINUTE, story, Hang, "there")


def test_a_caller_who_stays_gets_what_the_cancelled_one_asked_for() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        answer = asyncio.get_running_loop().create_future()
        script.outcomes = [lambda: answer]
        asked, stays = (asyncio.create_task(layer.find("a")) for _ in range(2))
        await asyncio.sleep(1)
        asked.cancel()
        await asyncio.sleep(1)
        answer.set_result("there")
        assert await stays == "there"
        assert asked.cancelled()
        assert (await layer.find("a"), counted(script)) == ("there", 1)

    through(MINUTE, story)


def test_the_last_caller_waits_until_what_he_cancelled_is_over_and_nobody_joins_it() -> None:
    async def slow_to_end() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(10)
            raise
        return "never"

    async def story(layer: Any, script: Scripted) -> None:
        script.outcomes = [slow_to_end, "of its own"]
        call = asyncio.create_task(layer.find("a"))
        await asyncio.sleep(1)
        call.cancel()
        await asyncio.sleep(1)
        assert not call.done()
        assert await layer.find("a") == "of its own"
        began = now()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert now() - began == 9
        assert await layer.find("a") == "of its own"

    through(MINUTE, story)


@pytest.mark.parametrize("stubborn", ["result", "error"])
def test_what_does_not_let_itself_be_cancelled_is_not_kept_and_says_nothing(stubborn: str) -> None:
    async def goes_on() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if stubborn == "error":
                raise Down from None
        return "late"

    async def story(layer: Any, script: Scripted) -> None:
        reported: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        script.outcomes = [goes_on, "there"]
        call = asyncio.create_task(layer.find("a"))
        await asyncio.sleep(1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        del call
        gc.collect()
        assert await layer.find("a") == "there"
        assert not reported

    through(MINUTE, story)


def test_no_more_are_kept_than_it_may_and_those_go_that_were_not_asked_for_the_longest() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        for number in range(10_000):
            await layer.find(number)
            await layer.find("asked for all the time")
            assert len(layer._layer._kept) <= 3
        assert counted(script) == 10_001
        await layer.find(9_998)
        assert counted(script) == 10_001
        await layer.find(0)
        assert counted(script) == 10_002

    through(partial(MINUTE, most=3), story)


class Big:
    pass


def test_what_is_over_its_time_does_not_stay_for_ever() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        big = Big()
        gone = weakref.ref(big)
        script.outcomes = [big]
        await layer.find("big")
        del big
        await asyncio.sleep(61)
        await layer.find("another")
        gc.collect()
        assert gone() is None
        assert len(layer._layer._kept) == 1

    through(MINUTE, story)


def test_methods_that_are_not_named_are_passed_on() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        assert (await layer.get("a"), await layer.get("a")) == ("get", "get")
        assert (await layer.later(), await layer.later()) == ("later", "later")
        assert counted(script) == 2
        assert await layer(4) == 4

    through(partial(cached, methods=["find"], ttl=timedelta(minutes=1)), story)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"methods": []}, "names no method"),
        ({"methods": ["gett"]}, "Port has no method 'gett'; awaited are __call__, either, find, get, later"),
        ({"methods": ["stream"]}, "'stream' is not awaited"),
        ({"methods": ["block"]}, "'block' is not awaited"),
        ({"methods": ["size"]}, "'size' is not awaited"),
        ({"ttl": timedelta(0)}, "setting ttl"),
        ({"most": 0}, "setting most"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], told: str) -> None:
    async def story(layer: Any, _: Scripted) -> None:
        with pytest.raises(errors.Misconfigured, match=told):
            cached(layer, **{"methods": ["get"], "ttl": timedelta(minutes=1), **settings})

    through(MINUTE, story)
