"""Work that a cancellation must not leave half-way: threads cannot be stopped, statements not forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Result = TypeVar("Result")


async def finish(work: Awaitable[Result], *, interrupt: Callable[[], None] | None = None) -> Result:
    """The result of `work`. A cancelled caller first waits until `work` is over, then is cancelled.

    So nothing goes on behind the back of a cancelled caller. `interrupt` is called once to hurry it.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            if cancelled is None and interrupt is not None:
                interrupt()
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()
    raise cancelled


async def in_thread(work: Callable[..., Result], *arguments: object) -> Result:
    """The result of a blocking call, made in a thread of the loop's pool; over when this is."""
    return await finish(asyncio.get_running_loop().run_in_executor(None, work, *arguments))
