"""The layer `breaker`: half open it lets exactly one call in, and what proves nothing changes nothing."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from oneiric import errors
from oneiric.layers import BreakerOpen, LimitReached
from oneiric.layers.breaker import breaker
from oneiric.layers.limit import limit

from tests.unit.layers.layered import DOWN, UNAVAILABLE, Broken, Down, Hang, Scripted, through

THREE = partial(breaker, errors=[DOWN], failures=3, recovery=timedelta(seconds=30))


async def fail(layer: Any, times: int = 3) -> None:
    for _ in range(times):
        with pytest.raises(Down):
            await layer.get("a")


async def half_opened(layer: Any, script: Scripted) -> None:
    """Let it open, and its time pass."""
    script.outcomes[:0] = [Down() for _ in range(3)]
    await fail(layer)
    await asyncio.sleep(30)
    script.log.clear()


async def refused(layer: Any) -> float:
    with pytest.raises(BreakerOpen) as caught:
        await layer.get("a")
    return caught.value.retry_after


def test_after_so_many_failures_in_a_row_nobody_is_let_in_for_a_while() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        await fail(layer)
        await asyncio.sleep(10)
        with pytest.raises(BreakerOpen, match=r"^adapter:it failed too often just now; .* in 20 s$") as caught:
            await layer.find("a")
        assert (caught.value.key, caught.value.retry_after) == ("adapter:it", 20)
        assert isinstance(caught.value, errors.Unavailable)
        with pytest.raises(BreakerOpen):
            await anext(layer.stream())
        with pytest.raises(BreakerOpen):
            await layer.block().__aenter__()
        assert script.log == ["get"] * 3
        assert layer.size() == 3

    through(THREE, story, Down(), Down(), Down())


def test_only_failures_in_a_row_count() -> None:
    async def story(layer: Any, _: Scripted) -> None:
        for _again in range(5):
            await fail(layer, 2)
            assert await layer.get("a") == "fine"
        await fail(layer, 3)
        await refused(layer)

    through(THREE, story, *[Down(), Down(), "fine"] * 5, Down(), Down(), Down())


def test_errors_that_are_not_named_count_neither_way() -> None:
    async def story(layer: Any, _: Scripted) -> None:
        for _again in range(10):
            with pytest.raises(Broken):
                await layer.get("a")
        await fail(layer, 2)
        with pytest.raises(Broken):
            await layer.get("a")
        await fail(layer, 1)
        await refused(layer)

    through(THREE, story, *(Broken() for _ in range(10)), Down(), Down(), Broken(), Down())


@pytest.mark.parametrize("good", [True, False])
def test_half_open_exactly_one_of_many_gets_in(good: bool) -> None:
    async def story(layer: Any, script: Scripted) -> None:
        answer = asyncio.get_running_loop().create_future()
        await half_opened(layer, script)
        script.outcomes = [lambda: answer]
        calls = [asyncio.create_task(layer.get(str(number))) for number in range(20)]
        await asyncio.sleep(5)
        assert script.log == ["get"]
        answer.set_result("fine") if good else answer.set_exception(Down())
        told = await asyncio.gather(*calls, return_exceptions=True)
        assert told[0] == "fine" if good else isinstance(told[0], Down)
        assert [type(each) for each in told[1:]] == [BreakerOpen] * 19
        assert {each.retry_after for each in told[1:] if isinstance(each, BreakerOpen)} == {0}
        if good:
            assert await layer.get("a") == "get"
            await layer.get("a")
        else:
            assert await refused(layer) == 30

    through(THREE, story)


def test_one_failure_is_enough_to_open_it_again_and_a_result_closes_it_whole() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        await half_opened(layer, script)
        script.outcomes = [Down()]
        await fail(layer, 1)
        assert await refused(layer) == 30
        await asyncio.sleep(30)
        assert await layer.get("a") == "get"
        script.outcomes = [Down(), Down(), "fine"]
        await fail(layer, 2)
        assert await layer.get("a") == "fine"

    through(THREE, story)


async def cancelled(layer: Any, script: Scripted) -> None:
    script.outcomes = [Hang]
    task = asyncio.create_task(layer.get("a"))
    await asyncio.sleep(1)
    assert await refused(layer) == 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def not_named(layer: Any, script: Scripted) -> None:
    script.outcomes = [Broken()]
    with pytest.raises(Broken):
        await layer.get("a")


async def closed_before_it_began(layer: Any, script: Scripted) -> None:
    script.outcomes = [Hang]
    call = layer.get("a")
    call.send(None)
    call.close()


async def dropped_iterator(layer: Any, script: Scripted) -> None:
    script.outcomes = [Hang]
    steps = layer.stream()
    step = steps.__anext__()
    step.send(None)
    assert await refused(layer) == 0
    del steps
    step.close()
    del step
    gc.collect()


async def not_entered(layer: Any, script: Scripted) -> None:
    script.outcomes = [Broken()]
    with pytest.raises(Broken):
        await layer.block().__aenter__()


@pytest.mark.parametrize("nothing", [cancelled, not_named, closed_before_it_began, dropped_iterator, not_entered])
def test_a_call_that_proves_nothing_leaves_it_to_the_next_one(nothing: Callable[..., Any]) -> None:
    async def story(layer: Any, script: Scripted) -> None:
        for _ in range(3):
            await half_opened(layer, script)
            await nothing(layer, script)
            script.outcomes = [Down()]
            await fail(layer, 1)
            assert await refused(layer) == 30
            await asyncio.sleep(30)
            await nothing(layer, script)
            await nothing(layer, script)
            script.outcomes = ["fine"]
            assert await layer.get("a") == "fine"
            assert await layer.get("a") == "get"

    through(THREE, story)


def test_what_was_under_way_when_it_opened_has_no_say() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        loop = asyncio.get_running_loop()
        early = [loop.create_future() for _ in range(4)]
        script.outcomes = [partial(settled, each) for each in early]
        calls = [asyncio.create_task(layer.get("a")) for _ in early]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await half_opened(layer, script)
        late = loop.create_future()
        script.outcomes = [lambda: late]
        probe = asyncio.create_task(layer.get("probe"))
        await asyncio.sleep(1)
        early[0].set_result("late")
        assert await calls[0] == "late"
        assert await refused(layer) == 0, "an early result closed it"
        early[1].set_exception(Down())
        with pytest.raises(Down):
            await calls[1]
        assert await refused(layer) == 0, "an early failure ended the trial"
        late.set_result("fine")
        assert await probe == "fine"
        await fail_with(layer, script, 2)
        early[2].set_exception(Down())
        with pytest.raises(Down):
            await calls[2]
        assert await layer.get("a") == "get", "an early failure counted"
        await fail_with(layer, script, 2)
        early[3].set_result("late")
        assert await calls[3] == "late"
        await fail_with(layer, script, 1)
        assert await refused(layer) == 30, "an early result was counted"

    through(THREE, story)


async def settled(answer: asyncio.Future[str]) -> str:
    return await answer


async def fail_with(layer: Any, script: Scripted, times: int) -> None:
    script.outcomes = [Down() for _ in range(times)]
    await fail(layer, times)


def test_an_iterator_that_gave_an_item_closes_it_and_can_fail_later() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        await half_opened(layer, script)
        script.outcomes = ["item", "item", Down()]
        steps = layer.stream()
        assert await anext(steps) == "item"
        assert await layer.get("a") == "item"
        with pytest.raises(Down):
            await anext(steps)
        await fail_with(layer, script, 2)
        assert await refused(layer) == 30

    through(THREE, story)


def test_an_iterator_without_items_is_a_result() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        await half_opened(layer, script)
        script.outcomes = ["end"]
        assert [item async for item in layer.stream()] == []
        assert await layer.get("a") == "get"

    through(partial(breaker, errors=["builtins:Exception"], failures=3), story)


def test_a_block_fails_for_itself_and_its_leaving_for_the_component() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        for _ in range(5):
            with pytest.raises(Down):
                async with layer.block():
                    raise Down("of the block")
        for _ in range(3):
            script.outcomes = ["in", Down()]
            with pytest.raises(Down):
                async with layer.block():
                    pass
        assert await refused(layer) == 30

    through(THREE, story)


class Raising(AbstractAsyncContextManager[str]):
    """Raises what its block raised, as a `finally` in `__aexit__` does."""

    async def __aenter__(self) -> str:
        return "in"

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            raise error


def test_a_context_that_raises_its_blocks_error_has_not_failed() -> None:
    async def story(layer: Any, script: Any) -> None:
        script.block = lambda source=None: Raising()
        for _ in range(5):
            with pytest.raises(Down):
                async with layer.block():
                    raise Down("of the block")
        assert await layer.get("a") == "get"

    through(THREE, story)


def test_the_end_of_an_iterator_that_tried_it_in_vain_closes_nothing() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        await half_opened(layer, script)
        script.outcomes = [Broken()]
        steps = layer.stream()
        with pytest.raises(Broken):
            await anext(steps)
        assert [item async for item in steps] == []
        script.outcomes = [Down()]
        await fail(layer, 1)
        assert await refused(layer) == 30

    through(THREE, story)


def test_an_iterator_that_always_fails_after_its_first_item_opens_it() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        for _ in range(3):
            script.outcomes = ["item", Down()]
            with pytest.raises(Down):
                [item async for item in layer.stream()]
        assert await refused(layer) == 30

    through(THREE, story)


def test_a_context_that_was_left_well_between_failures_starts_the_count_again() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        await fail_with(layer, script, 2)
        async with layer.block():
            pass
        await fail_with(layer, script, 2)
        assert await layer.get("a") == "get"

    through(THREE, story)


@pytest.mark.parametrize("own", [BreakerOpen("adapter:it", 3), LimitReached("adapter:it", 3)])
def test_what_a_layer_further_in_turned_away_proves_nothing(own: errors.Unavailable) -> None:
    async def story(layer: Any, script: Scripted) -> None:
        for _ in range(5):
            with pytest.raises(type(own)):
                await layer.get("a")
        assert len(script.log) == 5
        await half_opened(layer, script)
        with pytest.raises(type(own)):
            await layer.get("a")
        assert await layer.get("a") == "fine"

    through(
        partial(breaker, errors=[UNAVAILABLE], failures=3, recovery=timedelta(seconds=30)), story, *[own] * 6, "fine"
    )


def test_a_limit_inside_does_not_open_it() -> None:
    async def story(layer: Any, script: Scripted) -> None:
        script.outcomes = [Hang]
        task = asyncio.create_task(layer.get("a"))
        await asyncio.sleep(0)
        for _ in range(5):
            with pytest.raises(LimitReached):
                await layer.get("a")
        task.cancel()
        await asyncio.sleep(0)
        assert await layer.get("a") == "get"

    through(lambda inner: breaker(limit(inner, at_once=1, wait=timedelta(0)), errors=[UNAVAILABLE], failures=3), story)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"failures": 0}, "setting failures"),
        ({"recovery": timedelta(0)}, "setting recovery"),
        ({"errors": []}, "setting errors"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], told: str) -> None:
    async def story(layer: Any, _: Scripted) -> None:
        with pytest.raises(errors.Misconfigured, match=told):
            breaker(layer, **{"errors": [DOWN], **settings})

    through(THREE, story)
