"""Entering and leaving a runtime: eager components first, everything closed in order last."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Any

from oneiric.activation import activate, needed
from oneiric.closing import retire
from oneiric.errors import RuntimeClosed, RuntimeNotRunning, ShutdownError
from oneiric.idle import close_idle_tenants
from oneiric.runtime import Runtime
from oneiric.slot import Held, Slot

_EAGER_AT_ONCE = 32


async def enter(runtime: Runtime[Any]) -> None:
    """Start the runtime in this loop, and everything eager."""
    if runtime.status != "new":
        error = RuntimeNotRunning if runtime.status == "running" else RuntimeClosed
        raise error("a runtime can be entered once")
    runtime.loop = asyncio.get_running_loop()
    runtime.thread = threading.get_ident()
    runtime.status = "running"
    try:
        await _activate_eager(runtime)
    except BaseException as error:
        await leave(runtime, error)
        raise
    runtime.idle = runtime.loop.create_task(close_idle_tenants(runtime))


async def _activate_eager(runtime: Runtime[Any]) -> None:
    eager = [slot for slot in runtime.base.slots().values() if slot.binding.eager]
    turns = asyncio.Semaphore(_EAGER_AT_ONCE)

    async def start(slot: Slot[Any]) -> None:
        async with turns:
            await activate(slot)

    tasks = [asyncio.ensure_future(start(slot)) for slot in eager]
    try:
        await asyncio.gather(*tasks)
    finally:
        await cancel(tasks)


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they are over."""
    waiting = [task for task in tasks if not task.done()]
    for task in waiting:
        task.cancel()
    if waiting:
        await asyncio.wait(waiting)


async def leave(runtime: Runtime[Any], error: BaseException | None) -> None:
    """Close everything; see `Runtime.__aexit__`."""
    runtime.status = "closing"
    hurry = asyncio.get_running_loop().create_future()
    closing = asyncio.ensure_future(_close_all(runtime, hurry))
    cancelled = await _outlast(closing, hurry)
    runtime.status = "closed"
    errors = closing.result()
    if errors:
        failure = ShutdownError("closing the runtime failed in part", errors)
        if error is None and cancelled is None:
            raise failure
        runtime.report(failure)
    if cancelled is not None and error is None:
        raise cancelled


async def _outlast(closing: asyncio.Future[Any], hurry: asyncio.Future[None]) -> asyncio.CancelledError | None:
    """Wait to the end even when cancelled, which only makes it hurry."""
    cancelled: asyncio.CancelledError | None = None
    while not closing.done():
        try:
            await asyncio.wait((closing,))
        except asyncio.CancelledError as error:
            cancelled = error
            if not hurry.done():
                hurry.set_result(None)
    return cancelled


async def _close_all(runtime: Runtime[Any], hurry: asyncio.Future[None]) -> list[Exception]:
    loop = asyncio.get_running_loop()
    until = loop.time() + runtime.deadlines.drain
    if runtime.idle is not None:
        await cancel([runtime.idle])
    await _cancel_attempts(runtime)
    errors = await close_in_order(list(runtime.active.values()), until, hurry)
    if runtime.tasks:
        await asyncio.wait(runtime.tasks, timeout=runtime.deadlines.close)
    return errors


async def _cancel_attempts(runtime: Runtime[Any]) -> None:
    attempts = [slot.attempt.task for slot in runtime.slots() if slot.attempt is not None]
    await cancel(attempts)


async def close_in_order(helds: list[Held], until: float, hurry: asyncio.Future[None]) -> list[Exception]:
    """Retire these instances, each after those that need it, otherwise at once; the errors on the way."""
    dependents: dict[Slot[Any], list[Slot[Any]]] = {held.slot: [] for held in helds}
    for slot in dependents:
        for need in needed(slot) if slot.held is not None and slot.held.owned else ():
            if need in dependents:
                dependents[need].append(slot)
    tasks: dict[Slot[Any], asyncio.Task[list[Exception]]] = {}

    async def close(held: Held) -> list[Exception]:
        users = [tasks[slot] for slot in dependents[held.slot]]
        if users:
            await asyncio.wait(users)
        return await retire(held, until, hurry)

    for held in helds:
        tasks[held.slot] = held.slot.closing = asyncio.ensure_future(close(held))
    results = await asyncio.gather(*tasks.values())
    for slot in tasks:
        slot.closing = None
    return [error for errors in results for error in errors]
