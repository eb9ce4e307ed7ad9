"""Closing one instance: once, under a deadline, whatever else goes wrong."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from oneiric.errors import CloseError, DrainExpired
from oneiric.lifecycle.health import nurseries
from oneiric.lifecycle.nursery import Nursery
from oneiric.lifecycle.steps import Failed, bounded, call, lifecycle
from oneiric.slot import Held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneiric.slot import AnyHost, AnyStay


def _closer(instance: Any) -> Callable[[], Any] | None:
    aclose = lifecycle(instance, "aclose")
    return lifecycle(instance, "close") if aclose is None else aclose


async def close(held: Held) -> list[CloseError]:
    """End the background tasks of the instance, then close it; the errors it came to."""
    if held.asked is not None:
        held.asked.cancel()
    found = nurseries(held.instance)
    errors = [await _ended(held, "a background task", _end(found))] if found else []
    method = held.stay.leave if held.stay else _closer(held.instance)
    if method is not None:
        errors.append(await _ended(held, "close", call(method, blocking=held.binding.blocking)))
    return [error for error in errors if error is not None]


async def _end(found: list[Nursery]) -> None:
    """End all tasks at once. Raises what one failed with, or a group of what several did."""
    await asyncio.gather(*(each.end() for each in found))
    errors = [error for each in found for error in each.untold()]
    if errors:
        raise errors[0] if len(errors) == 1 else BaseExceptionGroup("background tasks failed", errors)


async def _ended(held: Held, name: str, work: Coroutine[Any, Any, object]) -> CloseError | None:
    """Wait for a part of the closing, within its deadline; the error that it came to, if any."""
    try:
        await bounded(asyncio.ensure_future(work), held.slot.scope.host.deadlines.close)
    except Failed as error:
        return _error(held, f"{name} {error}", error)
    except asyncio.CancelledError as error:
        return _error(held, f"{name} was cut short: everything was cancelled", error)
    except Exception as error:
        return _error(held, f"{name} raised {type(error).__name__}", error)
    return None


def _error(held: Held, what: str, cause: BaseException) -> CloseError:
    slot = held.slot
    domain, _, key = slot.key.partition(":")
    error = CloseError(domain, key, held.binding.provider, slot.tenant, what)
    error.__cause__ = cause
    return error


async def _close_and_report(held: Held) -> None:
    for error in await close(held):
        held.slot.scope.host.report(error)


def close_late(held: Held) -> None:
    """Close, in the background, what came after nobody waited for it any more."""
    host = held.slot.scope.host
    awaited(host, host.spawn(_close_and_report(held)))


def awaited(host: AnyHost, future: asyncio.Future[Any]) -> None:
    """Let a shutdown wait for it before it closes anything else."""
    host.making.add(future)
    future.add_done_callback(host.making.discard)


async def discard(held: Held) -> None:
    """Close what an activation made and may not keep. Cancelling the wait does not cancel the closing."""
    await asyncio.shield(held.slot.scope.host.spawn(_close_and_report(held)))


def close_unclaimed(instance: Any, stay: AnyStay | None) -> None:
    """Close, in its factory's thread, an instance whose loop has ended meanwhile."""
    method = stay.leave if stay else _closer(instance)
    if method is None:
        return
    result = method()
    if inspect.iscoroutine(result):
        asyncio.run(result)


async def retire(held: Held, until: float, hurry: asyncio.Future[Any]) -> list[Exception]:
    """Take an instance out of its slot, wait for its leases until `until` (of the loop) or `hurry`, close it.

    Nothing where the slot has another by now: whoever replaced it closes it. The errors on the way, as a list.
    """
    slot = held.slot
    if slot.held is not held:
        return []
    slot.scope.host.empty(held)
    slot.closing = closing = asyncio.current_task()
    try:
        return await drain(held, until, hurry)
    finally:
        if slot.closing is closing:
            slot.closing = None


async def drain(held: Held, until: float, hurry: asyncio.Future[Any]) -> list[Exception]:
    """The same for an instance that no slot has any more."""
    if not held.owned:
        return []
    errors: list[Exception] = []
    loop = asyncio.get_running_loop()
    if held.leases:
        held.settled, held.watched = loop.create_future(), True
        with suppress(asyncio.CancelledError):  # who cancels everything waits for no lease
            await asyncio.wait(
                (held.settled, hurry), timeout=max(0.0, until - loop.time()), return_when=asyncio.FIRST_COMPLETED
            )
    if held.leases:
        held.expired = held.leases
        errors.append(expired(held, f"closed with {held.leases} leases still held: the drain deadline passed"))
    return [*errors, *await close(held)]


def expired(held: Held, what: str) -> DrainExpired:
    """The error of an instance that was closed with leases on it."""
    slot = held.slot
    domain, _, key = slot.key.partition(":")
    error = DrainExpired(domain, key, held.binding.provider, slot.tenant, what)
    error.leases = held.expired
    return error
