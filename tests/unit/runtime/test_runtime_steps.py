"""A step of a lifecycle in a thread, beside a loop that never rests."""

from __future__ import annotations

import asyncio
import os

from oneiric.lifecycle.steps import in_thread

STEPS, TURNS = 20, 20_000
"""A step takes some sixty turns of the loop; where the loop wins each race for the interpreter, thousands."""


def reads_files() -> None:
    for _ in range(20):
        os.stat(os.curdir)


def test_a_thread_is_not_starved_by_a_loop_that_never_rests() -> None:
    async def main() -> None:
        turns = 0

        async def restless() -> None:
            nonlocal turns
            while turns < TURNS:
                turns += 1
                sum(range(5000))
                await asyncio.sleep(0)

        task = asyncio.create_task(restless())
        for _ in range(STEPS):
            (await in_thread(reads_files)).get()
        assert turns < TURNS, "a thread waited for the loop to rest"
        task.cancel()

    asyncio.run(main())


def test_a_step_leaves_no_timer() -> None:
    async def main() -> None:
        (await in_thread(reads_files)).get()
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        assert all(timer.cancelled() for timer in loop._scheduled)  # type: ignore[attr-defined]

    asyncio.run(main())
