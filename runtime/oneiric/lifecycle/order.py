"""Entering and leaving a runtime: eager components first, everything closed in order last."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from oneiric.errors import RuntimeClosed, RuntimeNotRunning, ShutdownError
from oneiric.lifecycle.activation import activate_all, cancel, eager, needed
from oneiric.lifecycle.closing import retire
from oneiric.runtime import Runtime
from oneiric.slot import Held
from oneiric.tenants.idle import close_idle_tenants


async def enter(runtime: Runtime[Any]) -> None:
    """Start the runtime in this loop, and everything eager."""
    if runtime.status != "new":
        error = RuntimeNotRunning if runtime.status == "running" else RuntimeClosed
        raise error("a runtime can be entered once")
    runtime.loop = asyncio.get_running_loop()
    runtime.thread = threading.get_ident()
    runtime.status = "running"
    try:
        if runtime.state is not None:
            await runtime.reloads.history.open()
        await activate_all(eager(runtime.base.slots().values()))
    except BaseException as error:
        await leave(runtime, error)
        raise
    runtime.idle = runtime.loop.create_task(close_idle_tenants(runtime))


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
    if runtime.changed:
        await runtime.reloads.stop(until, hurry)
    await _cancel_attempts(runtime)
    errors = await close_in_order(list(runtime.active.values()), until, hurry)
    if runtime.tasks:
        await asyncio.wait(runtime.tasks, timeout=runtime.deadlines.close)
    if runtime.changed:
        runtime.reloads.history.close()
    return errors


async def _cancel_attempts(runtime: Runtime[Any]) -> None:
    attempts = [slot.attempt.task for slot in runtime.slots() if slot.attempt is not None]
    await cancel(attempts)


async def close_in_order(helds: list[Held], until: float, hurry: asyncio.Future[None]) -> list[Exception]:
    """Retire these instances, each after those that need it, otherwise at once; the errors on the way."""

    async def close(held: Held) -> list[Exception]:
        return await retire(held, until, hurry)

    return await in_order(users_of(helds), close)


def users_of(helds: list[Held]) -> dict[Held, list[Held]]:
    """Each of these instances with those of them that need it."""
    by_slot = {held.slot: held for held in helds}
    users: dict[Held, list[Held]] = {held: [] for held in helds}
    for held in users:
        binding = held.slot.binding
        if held.owned and (binding.needs or binding.secrets):
            for need in needed(held.slot):
                if need in by_slot:
                    users[by_slot[need]].append(held)
    return users


async def in_order(
    users: dict[Held, list[Held]], close: Callable[[Held], Awaitable[list[Exception]]]
) -> list[Exception]:
    """Close each instance after its users, otherwise at once; the errors on the way."""
    tasks: dict[Held, asyncio.Task[list[Exception]]] = {}

    async def after_users(held: Held) -> list[Exception]:
        before = [tasks[user] for user in users[held]]
        if before:
            await asyncio.wait(before)
        return await close(held)

    for held in users:
        tasks[held] = asyncio.ensure_future(after_users(held))
    results = await asyncio.gather(*tasks.values())
    return [error for errors in results for error in errors]
