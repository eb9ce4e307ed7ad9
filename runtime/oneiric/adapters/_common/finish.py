"""Work that a cancellation must not leave half-way: threads cannot be stopped, statements not forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Result = TypeVar("Result")
_AGAIN = 0.02  # seconds between two interrupts


async def finish(work: Awaitable[Result], *, interrupt: Callable[[], None] | None = None) -> Result:
    """The result of `work`. A cancelled caller first waits until `work` is over, then is cancelled.

    So nothing goes on behind the back of a cancelled caller. `interrupt` is called to hurry the work, again and
    again: it may come before there is anything to interrupt.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        if cancelled is not None and interrupt is not None:
            interrupt()
        try:
            await asyncio.wait({task}, timeout=_AGAIN if cancelled is not None and interrupt is not None else None)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()
    raise cancelled


async def in_thread(work: Callable[..., Result], *arguments: object) -> Result:
    """The result of a blocking call, made in a thread of the loop's pool; over when this is."""
    return await finish(asyncio.get_running_loop().run_in_executor(None, work, *arguments))
