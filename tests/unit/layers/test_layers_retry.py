"""The layer `retry`: named errors alone, never a cancellation, never what somebody has seen a part of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from oneiric import errors
from oneiric.layers.retry import _Retries, retry
from oneiric.layers.timeout import timeout

from tests.unit.layers.layered import (
    BROKEN,
    DOWN,
    LATE,
    UNAVAILABLE,
    Broken,
    Down,
    Failing,
    Hang,
    Late,
    Scripted,
    through,
)
from tests.unit.layers.virtual import now

SOON = partial(retry, errors=[UNAVAILABLE], delay=timedelta(0))


def test_a_named_error_is_tried_again_and_no_other() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        assert await layer.get("a") == "there"
        assert script.log == ["get"] * 3
        with pytest.raises(Broken):
            await layer.get("a")
        assert script.log == ["get"] * 4

    through(SOON, story, Down(), Down(), "there", Broken())


def test_the_last_error_is_raised_as_it_is() -> None:
    failures = [Down(str(number)) for number in range(3)]

    async def story(layer: Any, script: Scripted) -> None:
        with pytest.raises(Down) as caught:
            await layer.get("a")
        assert caught.value is failures[-1]
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        assert len(script.log) == 3

    through(SOON, story, *failures)


def test_an_error_that_is_not_named_ends_it_at_any_attempt() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        with pytest.raises(Broken):
            await layer.get("a")
        assert len(script.log) == 2

    through(SOON, story, Down(), Broken(), "there")


def test_one_attempt_is_none_more() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        with pytest.raises(Down):
            await layer.get("a")
        assert len(script.log) == 1

    through(partial(SOON, attempts=1), story, Down(), "there")


@pytest.mark.parametrize("everything", [["builtins:Exception"], ["builtins:Exception", DOWN]])
def test_a_cancellation_is_never_tried_again(everything: list[str]) -> None:
    async def story(layer: Any, script: Scripted) -> None:
        for _ in range(2):
            task = asyncio.create_task(layer.get("a"))
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert script.log == ["get", "get cancelled", "get", "get", "get cancelled"]
        with pytest.raises(asyncio.CancelledError):
            await layer.get("a")
        assert script.log[-1] == "get" and not script.outcomes

    layer = partial(retry, errors=everything, delay=timedelta(0))
    through(layer, story, Hang, Down(), Hang, asyncio.CancelledError())


def test_a_cancellation_ends_the_wait_for_the_next_attempt() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        task = asyncio.create_task(layer.get("a"))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(1000)
        assert script.log == ["get"]

    through(partial(SOON, delay=timedelta(minutes=1), max=timedelta(minutes=1)), story, Down(), "there")


@pytest.mark.parametrize(
    ("named", "error", "attempts"),
    [
        ([UNAVAILABLE], Late(), 1),
        ([DOWN], Late(), 1),
        (["builtins:Exception"], TimeoutError(), 1),
        (["builtins:OSError"], TimeoutError(), 1),
        (["builtins:OSError"], ConnectionResetError(), 2),
        (["builtins:TimeoutError"], TimeoutError(), 2),
        (["builtins:TimeoutError"], Late(), 2),
        ([BROKEN, LATE], Late(), 2),
        ([LATE], TimeoutError(), 1),
        ([LATE], Down(), 1),
    ],
)
def test_a_timeout_error_only_where_it_is_named(named: list[str], error: Exception, attempts: int) -> None:
    async def story(layer: Any, script: Scripted) -> None:
        if attempts == 2:
            assert await layer.get("a") == "there"
        else:
            with pytest.raises(type(error)):
                await layer.get("a")
        assert len(script.log) == attempts

    through(partial(retry, errors=named, delay=timedelta(0)), story, error, "there")


@pytest.mark.parametrize("named", ["Down", "Unavailable", "oneiric.errors:OneiricError"])
def test_bare_names_are_those_beside_the_port_and_of_the_bases(named: str) -> None:
    async def story(layer: Any, script: Scripted) -> None:
        assert await layer.get("a") == "there"

    through(partial(retry, errors=[named], delay=timedelta(0)), story, Down(), "there")


def test_what_the_layer_timeout_ends_is_tried_again_where_that_is_named() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        with pytest.raises(TimeoutError):
            await SOON(layer).get("a")
        assert await retry(layer, errors=["builtins:TimeoutError"]).get("a") == "there"
        assert script.log == ["get", "get cancelled"] * 2 + ["get"]

    through(partial(timeout, timeout=timedelta(seconds=1)), story, Hang, Hang, "there")


def test_waits_are_doubled_up_to_the_longest_and_half_of_each_is_random() -> None:
    seen: list[float] = []

    async def story(layer: Any, script: Scripted) -> None:
        async def note() -> None:
            seen.append(now())
            raise Down

        script.outcomes = [note] * 7
        with pytest.raises(Down):
            await layer.get("a")

    through(partial(SOON, attempts=7, delay=timedelta(seconds=1), max=timedelta(seconds=10)), story)
    waits = [after - before for before, after in pairwise(seen)]
    for wait, longest in zip(waits, (1, 2, 4, 8, 10, 10), strict=True):
        assert longest / 2 <= wait <= longest
    assert len({round(wait / longest, 9) for wait, longest in zip(waits, (1, 2, 4, 8, 10, 10), strict=True)}) > 1


@pytest.mark.parametrize("delay", [timedelta(0), timedelta(microseconds=1), timedelta(seconds=5), timedelta(hours=3)])
def test_two_thousand_attempts_overflow_nowhere(delay: timedelta) -> None:
    longest = max(delay, timedelta(seconds=9))

    async def story(layer: Any, script: Scripted) -> None:
        assert await layer.get("a") == "there"
        assert len(script.log) == 2001

    began = [Down() for _ in range(2000)]
    through(partial(SOON, attempts=2001, delay=delay, max=longest), story, *began, "there")
    retries = _Retries((Down,), 2001, delay, longest)
    wait = retries.wait(SimpleNamespace(attempt_number=2000))  # type: ignore[arg-type]
    assert longest.total_seconds() / 2 <= wait <= longest.total_seconds() if delay else wait == 0


def test_an_iterator_is_made_again_until_its_first_item_and_never_after() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        steps = layer.stream()
        assert await anext(steps) == "first"
        assert script.log == ["begun", "step", "closed"] * 2 + ["begun", "step"]
        with pytest.raises(Down):
            await anext(steps)
        assert script.log[-2:] == ["step", "closed"]
        assert [item async for item in steps] == []

    through(SOON, story, Down(), Down(), "first", Down(), "second")


def test_an_iterator_that_failed_is_closed_before_there_is_another() -> None:
    async def story(layer: Any, script: Any) -> None:
        made: list[Failing] = []

        def stream(source: object = None) -> Failing:
            made.append(Failing())
            return made[-1]

        script.stream = stream
        with pytest.raises(Down):
            await anext(layer.stream())
        assert [each.closed for each in made] == [True, True, False], "the last one is its user's to close"

    through(SOON, story)


def test_the_end_of_an_iterator_is_no_error_whatever_is_named() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        assert [item async for item in layer.stream()] == []
        assert script.log.count("begun") == 1
        assert [item async for item in layer.stream()] == []
        assert script.log.count("begun") == 3

    through(partial(retry, errors=["builtins:Exception"], delay=timedelta(0)), story, "end", Down(), "end")


def test_an_error_thrown_into_a_generator_is_thrown_once() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        with pytest.raises(Down):
            await layer.generate().athrow(Down())
        assert script.log == []

    through(SOON, story)


def test_a_context_is_entered_again_and_its_block_runs_once() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        blocks = 0
        with pytest.raises(Down, match="of the block"):
            async with layer.block() as entered:
                blocks += 1
                assert entered == "in"
                raise Down("of the block")
        assert (blocks, script.log) == (1, ["enter", "enter", "left by Down"])
        with pytest.raises(Down, match="leaving"):
            async with layer.block():
                blocks += 1
        assert (blocks, script.log[3:]) == (2, ["enter", "leave"])

    through(SOON, story, Down(), "in", "in", Down("leaving"))


async def pieces() -> AsyncIterator[bytes]:
    yield b"piece"


class Pieces:
    def __aiter__(self) -> AsyncIterator[bytes]:
        return pieces()


@pytest.mark.parametrize(
    ("argument", "attempts"),
    [(iter("ab"), 1), (pieces(), 1), ("ab", 2), (["a"], 2), (Pieces(), 2)],
    ids=["iterator", "async iterator", "text", "list", "async iterable"],
)
def test_a_call_that_was_handed_an_iterator_is_made_once(argument: object, attempts: int) -> None:
    async def made_once(call: Any, script: Scripted) -> None:
        script.log.clear()
        script.outcomes = [Down(), "there", "end"]
        if attempts == 2:
            await call()
        else:
            with pytest.raises(Down):
                await call()
        assert sum(what in ("get", "find", "step", "enter") for what in script.log[:5]) >= attempts
        assert script.log.count(script.log[0]) == attempts

    async def story(layer: Any, script: Scripted) -> None:
        async def entered() -> None:
            async with layer.block(argument):
                pass

        await made_once(lambda: layer.get("a", argument), script)
        await made_once(lambda: layer.get("a", more=argument), script)
        await made_once(lambda: layer.find("a", limit=argument), script)
        await made_once(lambda: anext(layer.stream(argument)), script)
        await made_once(entered, script)

    through(SOON, story)


def test_calls_at_the_same_time_count_their_own_attempts() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        left = {number: number % 4 for number in range(40)}

        async def answer(number: int) -> int:
            await asyncio.sleep(number % 3)
            if left[number]:
                left[number] -= 1
                raise Down
            return number

        script.get = lambda number, /, **_: answer(number)  # type: ignore[method-assign]
        told = await asyncio.gather(*(layer.get(number) for number in left), return_exceptions=True)
        assert [isinstance(each, Down) for each in told] == [number % 4 == 3 for number in left]

    through(partial(SOON, delay=timedelta(seconds=1)), story)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"errors": []}, "names no error"),
        ({"errors": ["nowhere.at_all:Down"]}, "'nowhere.at_all:Down' cannot be loaded: No module named 'nowhere'"),
        ({"errors": ["builtins:Missing"]}, "cannot be loaded: module 'builtins' has no attribute 'Missing'"),
        ({"errors": ["NoSuchError"]}, "'NoSuchError' cannot be loaded: module 'tests.unit.layers.layered' has no"),
        ({"errors": [":Down"]}, "cannot be loaded"),
        ({"errors": [".errors:Down"]}, "cannot be loaded"),
        ({"errors": ["builtins:print"]}, "'builtins:print' is not a class of exceptions"),
        ({"errors": ["builtins:int"]}, "not a class of exceptions"),
        ({"errors": ["builtins:BaseException"]}, "not an Exception"),
        ({"errors": ["asyncio:CancelledError"]}, "not an Exception"),
        ({"attempts": 0}, "at least 1 is expected, not 0 (setting attempts)"),
        ({"delay": timedelta(seconds=-1)}, "not below zero is expected (setting delay)"),
        ({"delay": timedelta(seconds=2), "max": timedelta(seconds=1)}, "(setting max)"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], told: str) -> None:
    async def story(layer: Any, _: Scripted) -> None:
        with pytest.raises(errors.Misconfigured) as caught:
            retry(layer, **{"errors": [DOWN], **settings})
        assert str(caught.value).startswith("the layer retry: ") and told in str(caught.value)

    through(SOON, story)
