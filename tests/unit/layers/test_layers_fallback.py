"""The layer `fallback`: another key answers what this one cannot, and nothing that was begun is begun twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from oneiric import errors
from oneiric.layers.fallback import fallback

from tests.unit.layers.layered import DOWN, Broken, Down, Failing, Hang, Scripted, handles
from tests.unit.layers.virtual import run


def told(
    story: Callable[[Any, Scripted, Scripted], Awaitable[None]], *outcomes: object, named: Sequence[str] = (DOWN,)
) -> None:
    async def telling() -> None:
        first, second = Scripted(*outcomes), Scripted()
        async with handles(first=first, second=second) as (inner, to):
            await story(fallback(inner, to=to, errors=named), first, second)

    run(telling())


def test_a_named_error_is_answered_by_the_other_and_no_other_error_is() -> None:
    async def story(layer: Any, first: Scripted, second: Scripted) -> None:
        assert await layer.get("a") == "fine"
        assert second.log == []
        second.outcomes = ["instead"]
        assert await layer.get("a") == "instead"
        with pytest.raises(Broken):
            await layer.get("a")
        assert (first.log, second.log) == (["get"] * 3, ["get"])

    told(story, "fine", Down(), Broken())


def test_arguments_are_the_same() -> None:
    async def story(layer: Any, first: Scripted, second: Scripted) -> None:
        seen: list[object] = []

        async def get(*arguments: object, **named: object) -> object:
            seen.append((arguments, named))
            return "instead"

        second.get = get  # type: ignore[method-assign]
        assert await layer.get("a", 1, 2, times=3, more=4) == "instead"
        assert seen == [(("a", 1, 2), {"times": 3, "more": 4})]

    told(story, Down())


def test_an_error_of_the_other_is_what_counts_and_shows_the_first() -> None:
    async def story(layer: Any, first: Scripted, second: Scripted) -> None:
        second.outcomes = [Broken("second")]
        with pytest.raises(Broken, match="second") as caught:
            await layer.get("a")
        assert isinstance(caught.value.__context__, Down)

    told(story, Down("first"))


def test_a_cancellation_goes_nowhere_else() -> None:
    async def story(layer: Any, first: Scripted, second: Scripted) -> None:
        task = asyncio.create_task(layer.get("a"))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert second.log == []

    told(story, Hang, named=["builtins:Exception"])


def test_an_iterator_is_the_others_before_its_first_item_or_never() -> None:
    async def story(layer: Any, first: Scripted, second: Scripted) -> None:
        second.outcomes = ["b", "c", "end"]
        assert [item async for item in layer.stream()] == ["b", "c"]
        assert first.log == ["begun", "step", "closed"]
        steps = layer.stream()
        assert await anext(steps) == "a"
        with pytest.raises(Down):
            await anext(steps)
        assert second.log == ["begun", "step", "step", "step", "closed"]
        second.outcomes = [Down("second")]
        with pytest.raises(Down, match="second"):
            await anext(layer.stream())

    told(story, Down(), "a", Down(), Down())


def test_an_iterator_that_failed_is_closed_before_the_others_is_asked() -> None:
    async def story(layer: Any, first: Any, second: Scripted) -> None:
        failing = Failing()
        first.stream = lambda source=None: failing
        assert await anext(layer.stream()) == "step"
        assert failing.closed

    told(story)


def test_an_iterator_without_items_is_an_answer() -> None:
    async def story(layer: Any, first: Scripted, second: Scripted) -> None:
        assert [item async for item in layer.stream()] == []
        with pytest.raises(KeyError):
            await layer.generate().athrow(KeyError())
        assert second.log == []

    told(story, "end", named=["builtins:Exception"])


def test_a_context_is_the_others_when_it_cannot_be_entered_and_its_block_is_run_once() -> None:
    async def story(layer: Any, first: Scripted, second: Scripted) -> None:
        blocks = 0
        with pytest.raises(Down, match="of the block"):
            async with layer.block() as entered:
                assert entered == "enter"
                blocks += 1
                raise Down("of the block")
        assert (blocks, first.log, second.log) == (1, ["enter"], ["enter", "left by Down"])
        with pytest.raises(Down, match="of the block"):
            async with layer.block():
                raise Down("of the block")
        with pytest.raises(Down, match="leaving"):
            async with layer.block():
                pass
        assert len(second.log) == 2

    told(story, Down(), "in", "in", Down("leaving"))


def test_what_was_handed_an_iterator_is_not_asked_twice() -> None:
    async def story(layer: Any, first: Scripted, second: Scripted) -> None:
        with pytest.raises(Down):
            await layer.get("a", iter("abc"))
        with pytest.raises(Down):
            await anext(layer.stream(iter("abc")))
        with pytest.raises(Down):
            await layer.block(iter("abc")).__aenter__()
        assert second.log == []

    told(story, Down(), Down(), Down())


def test_errors_have_to_be_named() -> None:
    with pytest.raises(errors.Misconfigured, match=r"the layer fallback: names no error \(setting errors\)"):

        async def story(layer: Any, first: Scripted, second: Scripted) -> None:
            pytest.fail("it was made")

        told(story, named=[])
