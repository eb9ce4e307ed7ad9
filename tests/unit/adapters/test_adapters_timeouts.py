"""Timeouts that share a timer, and permits: as those of asyncio, whatever is cancelled when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from oneiric.adapters._common.permits import Permits
from oneiric.adapters._common.timeouts import Timeouts


def run(case: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def watched() -> None:
        await asyncio.wait_for(case(), 30)

    asyncio.run(watched())


async def hang() -> None:
    await asyncio.sleep(3600)


def timers() -> int:
    """Timers of the running loop that are still to come."""
    return sum(not handle.cancelled() for handle in asyncio.get_running_loop()._scheduled)  # type: ignore[attr-defined]


def test_each_block_ends_at_its_own_time_whatever_order_they_began_in() -> None:
    async def case() -> None:
        timeouts, order = Timeouts(), list[float]()

        async def block(seconds: float) -> None:
            began = asyncio.get_running_loop().time()
            with pytest.raises(TimeoutError), timeouts.within(seconds):
                await hang()
            assert asyncio.get_running_loop().time() - began > seconds - 0.001
            order.append(seconds)

        await asyncio.gather(*(block(seconds) for seconds in (0.2, 0.05, 0.3, -1, 0.1)))
        assert order == [-1, 0.05, 0.1, 0.2, 0.3]
        assert not timeouts.under_way

    run(case)


def test_blocks_that_are_over_in_time_leave_one_timer_and_no_trace() -> None:
    async def case() -> None:
        timeouts, before = Timeouts(), timers()
        for _ in range(1000):
            with timeouts.within(0.1):
                await asyncio.sleep(0)
        assert timers() == before + 1
        with pytest.raises(ZeroDivisionError), timeouts.within(0.1):
            raise ZeroDivisionError
        await asyncio.sleep(0.3)
        assert timers() == before
        assert not timeouts.under_way

    run(case)


def test_a_block_inside_another_ends_first_or_with_it() -> None:
    async def case() -> None:
        timeouts = Timeouts()
        with timeouts.within(10), pytest.raises(TimeoutError), timeouts.within(0.05):
            await hang()
        with pytest.raises(TimeoutError), timeouts.within(0.05), timeouts.within(10):
            await hang()
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()

    run(case)


def test_a_cancellation_beside_the_deadline_is_not_lost() -> None:
    async def case() -> None:
        timeouts = Timeouts()

        async def block() -> None:
            with timeouts.within(0.01):
                await hang()

        task = asyncio.ensure_future(block())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_at(next(iter(timeouts.under_way.values())), task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not timeouts.under_way

    run(case)


def test_what_the_work_raises_when_its_time_is_over_is_raised() -> None:
    async def case() -> None:
        timeouts = Timeouts()
        with pytest.raises(ZeroDivisionError), timeouts.within(0.01):
            try:
                await hang()
            finally:
                raise ZeroDivisionError
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()

    run(case)


def test_all_can_be_ended_before_their_time_and_others_begin_after() -> None:
    async def case() -> None:
        timeouts = Timeouts()

        async def block() -> None:
            with timeouts.within(3600):
                await hang()

        tasks = [asyncio.ensure_future(block()) for _ in range(3)]
        await asyncio.sleep(0)
        timeouts.end_all()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [TimeoutError] * 3
        with pytest.raises(TimeoutError), timeouts.within(0.05):
            await hang()
        timeouts.end_all()
        await asyncio.sleep(0)
        with timeouts.within(3600):
            await asyncio.sleep(0.01)

    run(case)


@pytest.mark.parametrize("cancelled", range(64))
def test_turns_come_in_order_and_none_is_lost_whoever_gives_up(cancelled: int) -> None:
    async def case() -> None:
        permits, order = Permits(2), list[int]()
        most = busy = 0

        async def user(number: int) -> None:
            nonlocal most, busy
            if not permits.take():
                await permits.wait()
            busy += 1
            most = max(most, busy)
            order.append(number)
            try:
                await asyncio.sleep(0)
            finally:
                busy -= 1
                permits.give_back()

        tasks = [asyncio.ensure_future(user(number)) for number in range(20)]
        for number in range(6):
            await asyncio.sleep(0)
            if cancelled >> number & 1:
                tasks[3 * number].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == sorted(order)
        assert most == 2
        for _ in range(2):
            if not permits.take():
                await asyncio.wait_for(permits.wait(), 1)
        assert not permits.take()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(permits.wait(), 0.001)

    run(case)
