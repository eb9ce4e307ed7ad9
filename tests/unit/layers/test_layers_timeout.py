"""The layer `timeout`: what takes too long sees a cancellation, and its caller `TimedOut`."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from oneiric import errors
from oneiric.layers import TimedOut
from oneiric.layers.timeout import timeout

from tests.unit.layers.layered import Broken, Hang, Scripted, through
from tests.unit.layers.virtual import now

TEN = partial(timeout, timeout=timedelta(seconds=10))


async def takes(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "done"


def test_a_call_that_takes_too_long_is_cancelled_and_its_caller_told_which() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        began = now()
        with pytest.raises(TimedOut, match=r"^adapter:it: get was not done within 10 s$") as caught:
            await layer.get("a")
        assert now() - began == 10
        assert script.log == ["get", "get cancelled"]
        error = caught.value
        assert (error.key, error.method, error.timeout) == ("adapter:it", "get", 10)
        assert isinstance(error, TimeoutError) and isinstance(error, errors.Unavailable)
        assert isinstance(error.__cause__, asyncio.CancelledError)
        for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
            assert (type(again), str(again), again.key) == (TimedOut, str(error), "adapter:it")
        task = asyncio.current_task()
        assert task is not None and not task.cancelling()

    through(TEN, story, Hang)


def test_a_call_that_is_done_in_time_is_left_alone() -> None:
    async def story(layer: Any, _: Scripted) -> None:
        assert await layer.get("a") == "done"
        with pytest.raises(Broken):
            await layer.get("a")

    through(TEN, story, partial(takes, 9.9), Broken())


def test_a_timeout_error_of_what_is_wrapped_stays_what_it_is() -> None:
    async def story(layer: Any, _: Scripted) -> None:
        for own in (TimeoutError("mine"), TimedOut("service:other", "ask", 1)):
            with pytest.raises(TimeoutError) as caught:
                await layer.find("a")
            assert str(caught.value) == str(own)
            assert type(caught.value) is type(own)

    through(TEN, story, TimeoutError("mine"), TimedOut("service:other", "ask", 1))


def test_a_cancelled_caller_is_cancelled_and_not_late() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        task = asyncio.create_task(layer.get("a"))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert script.log == ["get", "get cancelled"]

    through(TEN, story, Hang)


def test_what_ends_by_an_error_of_its_own_when_it_is_cancelled_says_so() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            raise Broken("while it was cancelled") from None

    async def story(layer: Any, _: Scripted) -> None:
        with pytest.raises(Broken):
            await layer.get("a")
        task = asyncio.current_task()
        assert task is not None and not task.cancelling()

    through(TEN, story, stubborn)


def test_the_inner_of_two_ends_first_and_the_outer_one_its_own() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        with pytest.raises(TimedOut, match="within 1 s"):
            await layer.get("a")
        outer = timeout(TEN(layer._inner), timeout=timedelta(seconds=3))
        with pytest.raises(TimedOut, match="within 3 s"):
            await outer.get("a")

    through(lambda inner: timeout(TEN(inner), timeout=timedelta(seconds=1)), story, Hang, Hang)


def test_an_iterator_has_the_time_for_each_step_and_its_user_all_the_time() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        steps = layer.stream()
        assert await anext(steps) == "done"
        await asyncio.sleep(100)
        assert await anext(steps) == "done"
        with pytest.raises(TimedOut, match="stream"):
            await anext(steps)
        assert script.log[-2:] == ["step cancelled", "closed"]
        assert [item async for item in steps] == []

    through(TEN, story, partial(takes, 9), partial(takes, 9), Hang)


def test_an_iterator_has_the_time_to_be_closed() -> None:
    async def slowly(seconds: float) -> AsyncIterator[str]:
        try:
            yield "item"
        finally:
            await asyncio.sleep(seconds)

    async def story(layer: Any, script: Any) -> None:
        for seconds in (9.9, 1000):
            script.stream = lambda source=None, seconds=seconds: slowly(seconds)
            steps, began = layer.stream(), now()
            assert await anext(steps) == "item"
            if seconds < 10:
                await steps.aclose()
            else:
                with pytest.raises(TimedOut):
                    await steps.aclose()
            assert now() - began <= 10

    through(TEN, story)


def test_a_context_has_the_time_to_be_entered_and_to_be_left() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        with pytest.raises(TimedOut, match="block"):
            async with layer.block():
                pytest.fail("it was entered")
        with pytest.raises(TimedOut, match="block"):
            async with layer.block() as entered:
                assert entered == "in"
                await asyncio.sleep(100)
        with pytest.raises(ZeroDivisionError):
            async with layer.block():
                await asyncio.sleep(100)
                raise ZeroDivisionError
        assert script.log[-1] == "left by ZeroDivisionError"

    through(TEN, story, Hang, "in", Hang, "in")


@pytest.mark.parametrize("wrong", [timedelta(0), timedelta(seconds=-1)])
def test_no_time_at_all_is_no_timeout(wrong: timedelta) -> None:
    async def story(layer: Any, _: Scripted) -> None:
        with pytest.raises(errors.Misconfigured, match=r"the layer timeout: .* above zero .*\(setting timeout\)"):
            timeout(layer, timeout=wrong)

    through(TEN, story)
