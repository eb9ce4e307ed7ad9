"""Entering and leaving an application: eager components first, then engines; everything closed in order last."""

from __future__ import annotations

import asyncio
import os
import threading
from _thread import allocate_lock
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from weakref import WeakSet

from oneiric.errors import RuntimeClosed, RuntimeNotRunning, ShutdownError
from oneiric.host import Host
from oneiric.lifecycle.activation import activate_all, cancel, eager
from oneiric.lifecycle.order import close_in_order
from oneiric.lifecycle.steps import outlast
from oneiric.wiring import Wiring, domains_of

_PASSES = 10
"""How often the closing begins once more where a component cancels every task there is."""
_entered: WeakSet[Host] = WeakSet()


def _leave_behind() -> None:
    """In a child process: the loop, the threads and the instances of each application are its parent's, so nothing is
    closed. The lock of a state folder leaves by itself."""
    for host in list(_entered):
        host.status = "forked"
        host.lock = allocate_lock()  # another thread may have held it, and is not here to give it back
        for slot in host.slots():
            slot.attempt = slot.closing = None
        for held in list(host.active.values()):
            host.empty(held)
        host.loop, host.thread = None, 0


os.register_at_fork(after_in_child=_leave_behind)


async def enter(host: Host) -> None:
    """Start the application in this loop, and everything eager."""
    host.check_fork()
    if host.status != "new":
        error = RuntimeNotRunning if host.status == "running" else RuntimeClosed
        raise error("a runtime can be entered once")
    _begin(host)
    try:
        if host.changes is not None:
            await host.changes.open()
        _check_provided(host)
        if host.preflight is not None:
            await host.preflight(host)
        await activate_all(eager(host.base.slots().values()))
        if any(domain.__engine__ for domain in host.wiring_class.__domains__.values()):
            from oneiric.lifecycle.engines import engines_of

            if (engines := engines_of(host)) is not None:
                await engines.start()
        if host.changes is not None:
            await host.changes.started()
    except BaseException as error:
        await leave(host, error)
        raise
    if host.lines:
        from oneiric.tenants.idle import look_for_idle

        look_for_idle(host)


def _check_provided(host: Host) -> None:
    bindings = [slot.binding for slot in host.base.slots().values() if slot.binding.provided]
    if bindings:
        from oneiric.lifecycle.provided import check_provided

        check_provided(host, bindings)


def _begin(host: Host) -> None:
    """Let this loop be the application's."""
    host.loop = asyncio.get_running_loop()
    host.hurry = host.loop.create_future()
    host.thread = threading.get_ident()
    host.status = "running"
    _entered.add(host)


@asynccontextmanager
async def beside(host: Host, wiring: type[Wiring] | None = None) -> AsyncGenerator[Host]:
    """An application like this one, with its replacements, of this wiring or another of its generations, in which
    nothing starts by itself."""
    from oneiric.fitting import Bare

    wiring = wiring or host.wiring_class
    known = {binding.key for _, _, bindings in domains_of(wiring) for binding in bindings.values()}
    given = {
        slot.key: held.instance for slot, held in host.active.items() if slot.key in host.replaced and slot.key in known
    }
    replace = {key: Bare(each) if key in host.bare else each for key, each in given.items()}
    provide = {key: each for key, each in host.provided.items() if key in known}
    environ, tenants = host.environ, host.unknown_tenant
    other = Host(
        wiring, replace, provide, host.deadlines, environ, host.tenant_idle, tenants,
        host.role if host.role in wiring.__roles__ else None,
    )  # fmt: skip
    other.application = host.application
    _begin(other)
    try:
        yield other
    except BaseException as error:
        await leave(other, error)
        raise
    try:
        await leave(other, None)
    except ShutdownError as error:
        other.report(error)


async def leave(host: Host, error: BaseException | None) -> None:
    """Close everything; see `Runtime.__aexit__`. Nothing in a forked process, which has none of it."""
    if host.status == "forked":
        return
    if host.leaving is not None:  # by a component, while it is closed
        await asyncio.wait((host.leaving,))
        return
    host.leaving = asyncio.get_running_loop().create_future()
    errors: list[Exception] = []
    cancelled: asyncio.CancelledError | None = None
    try:
        for _ in range(_PASSES):
            closing = asyncio.ensure_future(_close_all(host, errors))
            cancelled = await outlast((closing,), host.hurry) or cancelled
            if not closing.cancelled():
                closing.result()
                break
    finally:
        host.status = "closed"
        _entered.discard(host)
        try:
            if host.changes is not None:
                host.changes.close()
        except Exception as failed:
            errors.append(failed)
        finally:
            host.leaving.set_result(None)
    if errors:
        failure = ShutdownError("closing the runtime failed in part", errors)
        if error is None and cancelled is None:
            raise failure
        host.report(failure)
    if cancelled is not None and error is None:
        raise cancelled


def _hurry(host: Host) -> None:
    if not host.hurry.done():
        host.hurry.set_result(None)


async def _close_all(host: Host, errors: list[Exception]) -> None:
    """Close what is there, and add what went wrong. It may be cancelled by a component, and then done once more."""
    until = asyncio.get_running_loop().time() + host.deadlines.drain
    # Engines are users: until they have stopped, what their last work needs can be activated as before.
    if host.engines is not None:
        errors += await host.engines.stop(until)
    host.status = "closing"
    if host.looks is not None:
        await _noting(host.looks.stop, errors)
    if host.changes is not None:
        await _noting(partial(host.changes.stop, until), errors)
    if host.idle is not None:
        await cancel([host.idle])
    await cancel([slot.attempt.task for slot in host.slots() if slot.attempt is not None])
    await _end_making(host)
    errors += await close_in_order(list(host.active.values()), until, host.hurry)
    _hurry(host)  # what an operator still drains
    await _end_tasks(host)


async def _noting(stop: Callable[[], Awaitable[None]], errors: list[Exception]) -> None:
    """Stop something; what that raises is added to the errors, since instances are closed whatever else goes wrong."""
    try:
        await stop()
    except Exception as failed:
        errors.append(failed)


async def _end_making(host: Host) -> None:
    """What a thread still makes needs what is closed next: wait, unless nothing ends for the `close` deadline."""
    done: object = True
    while host.making and done:
        seconds = host.deadlines.close
        done, _ = await asyncio.wait(host.making, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


async def _end_tasks(host: Host) -> None:
    """Wait for what goes on in the background, such as the close of what came late, and for what that begins."""
    loop = asyncio.get_running_loop()
    until = loop.time() + host.deadlines.close
    await asyncio.sleep(0)
    while host.tasks and loop.time() < until:
        await asyncio.wait(host.tasks, timeout=until - loop.time(), return_when=asyncio.FIRST_COMPLETED)
