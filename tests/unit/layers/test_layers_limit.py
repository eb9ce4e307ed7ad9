"""The layer `limit`: never more than it says, first come first served, whoever is cancelled when."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric import errors
from oneiric.layers import LimitReached
from oneiric.layers.limit import Rate, limit

from tests.unit.layers.layered import Broken, Down, Hang, Scripted, through
from tests.unit.layers.virtual import now

FIVE_A_SECOND = partial(limit, rate=Rate(5, timedelta(seconds=1)))


class Measured:
    """Outcomes that take a time, and note when they began, in which order, and how many were under way."""

    def __init__(self, script: Scripted, takes: Callable[[int], float]) -> None:
        self.starts: list[float] = []
        self.order: list[int] = []
        self.most = 0
        self._under_way = 0
        self._takes = takes
        script.get = self.get  # type: ignore[method-assign]

    async def get(self, number: Any, /, *_: object, **__: object) -> Any:
        self.starts.append(now())
        self.order.append(number)
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        try:
            await asyncio.sleep(self._takes(number))
        finally:
            self._under_way -= 1
        return number

    def fullest(self, window: float) -> int:
        """The most starts in any window of a length."""
        return max(sum(0 <= other - one < window for other in self.starts) for one in self.starts)


def test_a_thousand_callers_are_never_more_at_once_and_begin_as_they_came() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        measured = Measured(script, lambda number: number % 7 * 0.1)
        assert await asyncio.gather(*(layer.get(number) for number in range(1000))) == list(range(1000))
        assert measured.most == 20
        assert measured.order == list(range(1000))

    through(partial(limit, at_once=20), story)


@pytest.mark.parametrize("takes", [0.0, 0.35, 3.0])
def test_a_thousand_callers_never_begin_more_often_than_the_rate_and_no_slower(takes: float) -> None:
    async def story(layer: Any, script: Scripted) -> None:
        measured = Measured(script, lambda _: takes)
        began = now()
        await asyncio.gather(*(layer.get(number) for number in range(1000)))
        assert measured.fullest(1.0) == 5
        assert measured.order == list(range(1000))
        assert measured.starts[-1] - began == pytest.approx(199)

    through(FIVE_A_SECOND, story)


def test_a_window_slides_and_begins_nowhere() -> None:
    """Where aiolimiter lets 9 begin: 5 after a rest, and one more with every 0.2 s."""

    async def story(layer: Any, script: Scripted) -> None:
        measured = Measured(script, lambda _: 0)
        random = Random(7)
        tasks = []
        for number in range(300):
            tasks.append(asyncio.create_task(layer.get(number)))
            await asyncio.sleep(random.choice((0, 0, 0, 0.01, 0.2, 0.21, 0.99, 2)))
        await asyncio.gather(*tasks)
        assert measured.fullest(1.0) == 5
        assert measured.order == list(range(300))

    through(FIVE_A_SECOND, story)


def test_windows_are_counted_from_where_a_late_start_really_is() -> None:
    """Turns are handed out, and then the loop is busy for most of a second before anybody begins."""

    async def story(layer: Any, script: Scripted) -> None:
        measured = Measured(script, lambda _: 0)
        first = [asyncio.create_task(layer.get(number)) for number in range(5)]
        await asyncio.sleep(0.5)
        second = [asyncio.create_task(layer.get(number)) for number in range(5, 20)]
        loop: Any = asyncio.get_running_loop()
        hand_over = layer._layer._look

        def slow() -> None:
            hand_over()
            loop.clock.now += 0.9

        layer._layer._look = slow
        await asyncio.gather(*first, *second)
        assert measured.fullest(1.0) == 5
        assert measured.order == list(range(20))

    through(FIVE_A_SECOND, story)


@given(
    at_once=st.none() | st.integers(1, 4),
    rate=st.none() | st.tuples(st.integers(1, 4), st.sampled_from([0.1, 0.7, 1.0])),
    calls=st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.0, 0.1, 0.5]),  # since the one before
            st.sampled_from([0.0, 0.1, 0.7, 1.3]),  # takes
            st.none() | st.sampled_from([0.0, 0.1, 0.3, 0.7, 1.0, 2.0]),  # cancelled after
        ),
        max_size=30,
    ),
    wait=st.none() | st.sampled_from([0.0, 0.3, 1.0]),
)
def test_whatever_is_cancelled_when_nobody_is_passed_over_and_nothing_is_lost(
    at_once: int | None,
    rate: tuple[int, float] | None,
    calls: list[tuple[float, float, float | None]],
    wait: float | None,
) -> None:
    if at_once is None and rate is None:
        at_once = 2

    async def story(layer: Any, script: Scripted) -> None:
        measured = Measured(script, lambda number: calls[number][1])
        tasks = []
        for number, (after, _, cancelled) in enumerate(calls):
            await asyncio.sleep(after)
            task = asyncio.create_task(layer.get(number))
            if cancelled is not None:
                asyncio.get_running_loop().call_later(cancelled, task.cancel)
            tasks.append(task)
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, (int, asyncio.CancelledError, LimitReached)) for each in told)
        assert measured.order == sorted(measured.order)
        if at_once is not None:
            assert measured.most <= at_once
        if rate is not None and measured.starts:
            assert measured.fullest(rate[1]) <= rate[0]
        await asyncio.sleep(10)
        turns = layer._layer
        assert turns._free == (at_once or float("inf")) and not turns._waiting and not turns._handed
        script.get = Scripted.get.__get__(script)  # type: ignore[method-assign]
        many = min(each for each in (at_once, rate and rate[0]) if each is not None)
        script.outcomes = [Hang] * many
        begun = [asyncio.create_task(layer.get("a")) for _ in range(many)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert script.under_way == many
        for each in begun:
            each.cancel()
        await asyncio.gather(*begun, return_exceptions=True)

    settings: dict[str, Any] = {
        "at_once": at_once,
        "rate": None if rate is None else Rate(rate[0], timedelta(seconds=rate[1])),
        "wait": None if wait is None else timedelta(seconds=wait),
    }
    through(partial(limit, **settings), story)


def test_a_place_of_one_cancelled_between_his_turn_and_his_start_goes_to_the_next() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        script.outcomes = [Hang, "second", "third"]
        first, second, third = (asyncio.create_task(layer.get(name)) for name in "abc")
        await asyncio.sleep(1)
        first.cancel()
        await asyncio.sleep(0)
        assert layer._layer._handed == 1
        second.cancel()
        told = await asyncio.gather(first, second, third, return_exceptions=True)
        assert [type(each) for each in told[:2]] == [asyncio.CancelledError] * 2
        assert told[2] == "second"
        assert await layer.get("d") == "third"

    through(partial(limit, at_once=1), story)


def test_nobody_who_comes_later_begins_before_one_whose_turn_it_is() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        measured = Measured(script, lambda _: 1)
        first, second = (asyncio.create_task(layer.get(number)) for number in (0, 1))
        await asyncio.sleep(0.5)
        turns = layer._layer
        turns.done()  # as if another place came free, this moment
        third = asyncio.create_task(layer.get(2))
        turns.done()
        await asyncio.gather(first, second, third)
        assert measured.order == [0, 1, 2]

    through(partial(limit, at_once=1), story)


def test_who_waits_too_long_is_told_and_takes_no_turn() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        script.outcomes = [Hang, "there"]
        task = asyncio.create_task(layer.get("a"))
        await asyncio.sleep(0)
        began = now()
        with pytest.raises(LimitReached, match=r"^adapter:it is used .* waited 2 s for its turn$") as caught:
            await layer.get("b")
        assert now() - began == 2
        assert isinstance(caught.value, errors.Unavailable)
        assert (caught.value.key, caught.value.wait) == ("adapter:it", 2)
        assert script.log == ["get"]
        task.cancel()
        assert await layer.get("c") == "there"

    through(partial(limit, at_once=1, wait=timedelta(seconds=2)), story)


def test_a_wait_of_nothing_takes_a_turn_that_is_there() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        assert await layer.get("a") == "get"
        script.outcomes = [Hang]
        task = asyncio.create_task(layer.get("a"))
        await asyncio.sleep(0)
        began = now()
        with pytest.raises(LimitReached):
            await layer.get("b")
        assert now() == began
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert await layer.get("c") == "get"

    through(partial(limit, at_once=1, wait=timedelta(0)), story)


def test_a_failed_call_gives_its_place_back_and_keeps_its_start() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        began = now()
        for _ in range(5):
            with pytest.raises(Broken):
                await layer.get("a")
        assert now() == began
        await layer.get("a")
        assert now() - began == pytest.approx(1)

    through(partial(FIVE_A_SECOND, at_once=1), story, *(Broken() for _ in range(5)))


async def exhausted(layer: Any, script: Scripted) -> Callable[[], Awaitable[object]]:
    script.outcomes = ["item", "end"]
    steps = layer.stream()
    assert await anext(steps) == "item"

    async def over() -> None:
        assert [item async for item in steps] == []

    return over


async def closed(layer: Any, script: Scripted) -> Callable[[], Awaitable[object]]:
    steps = layer.stream()
    await anext(steps)
    aclose: Callable[[], Awaitable[object]] = steps.aclose
    return aclose


async def failed(layer: Any, script: Scripted) -> Callable[[], Awaitable[object]]:
    script.outcomes = ["item", Down()]
    steps = layer.stream()
    await anext(steps)

    async def over() -> None:
        with pytest.raises(Down):
            await anext(steps)

    return over


async def dropped(layer: Any, script: Scripted) -> Callable[[], Awaitable[object]]:
    kept = [layer.stream()]
    await anext(kept[0])

    async def over() -> None:
        kept.clear()
        gc.collect()
        await asyncio.sleep(0.1)

    return over


async def left(layer: Any, script: Scripted) -> Callable[[], Awaitable[object]]:
    context = layer.block()
    await context.__aenter__()
    return partial(context.__aexit__, None, None, None)


async def left_with_an_error(layer: Any, script: Scripted) -> Callable[[], Awaitable[object]]:
    script.outcomes = ["in", Down()]
    context = layer.block()
    await context.__aenter__()

    async def over() -> None:
        with pytest.raises(Down):
            await context.__aexit__(None, None, None)

    return over


@pytest.mark.parametrize("kind", [exhausted, closed, failed, dropped, left, left_with_an_error])
def test_an_iterator_and_a_context_keep_their_place_until_they_are_over(kind: Callable[..., Any]) -> None:
    async def story(layer: Any, script: Scripted) -> None:
        for _ in range(3):
            over = await kind(layer, script)
            with pytest.raises(LimitReached):
                await layer.get("a")
            await over()
            script.outcomes = ["there"]
            assert await layer.get("a") == "there"

    through(partial(limit, at_once=1, wait=timedelta(seconds=1)), story)


def test_what_could_not_be_entered_or_begun_keeps_no_place() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        for _ in range(3):
            script.outcomes = [Down(), Down(), "there"]
            with pytest.raises(Down):
                await layer.block().__aenter__()
            with pytest.raises(Down):
                await anext(layer.stream())
            assert await layer.get("a") == "there"
        steps = layer.stream()
        await steps.aclose()
        assert [item async for item in steps] == []
        assert await layer.get("a") == "get"

    through(partial(limit, at_once=1, wait=timedelta(seconds=1)), story)


def test_a_start_that_nobody_else_looks_after_still_lets_the_next_one_in() -> None:
    """Five begin and go on for ever: the sixth begins when the window has passed."""

    async def story(layer: Any, script: Scripted) -> None:
        script.outcomes = [Hang] * 20
        tasks = [asyncio.create_task(layer.get("a")) for _ in range(12)]
        for seconds, begun in ((0.5, 5), (1, 10), (1, 12)):
            await asyncio.sleep(seconds)
            assert script.under_way == begun
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    through(FIVE_A_SECOND, story)


def test_thousands_who_gave_up_leave_nothing_behind() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        script.outcomes = [Hang]
        task = asyncio.create_task(layer.get("a"))
        await asyncio.sleep(0)
        told = await asyncio.gather(*(layer.get("b") for _ in range(5000)), return_exceptions=True)
        assert {type(each) for each in told} == {LimitReached}
        assert not layer._layer._waiting
        task.cancel()
        await asyncio.sleep(0)

    through(partial(limit, at_once=1, wait=timedelta(seconds=1)), story)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "neither `at_once` nor `rate`"),
        ({"at_once": 0}, "setting at_once"),
        ({"rate": Rate(0, timedelta(seconds=1))}, "setting rate"),
        ({"rate": Rate(1, timedelta(0))}, "setting rate"),
        ({"at_once": 1, "wait": timedelta(seconds=-1)}, "setting wait"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], told: str) -> None:
    async def story(layer: Any, _: Scripted) -> None:
        with pytest.raises(errors.Misconfigured, match=told):
            limit(layer, **settings)

    through(FIVE_A_SECOND, story)
