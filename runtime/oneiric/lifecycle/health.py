"""Asking active components how they are."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import MemberDescriptorType
from typing import Any, NamedTuple, cast

from oneiric.lifecycle.nursery import Nursery
from oneiric.lifecycle.steps import Failed, begun, bounded, contained, has_no_lifecycle, lifecycle
from oneiric.slot import Held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneiric.slot import AnyHost

_LARGEST = 1000
"""Of a larger collection in a component nobody looks whether there are tasks in it."""


class Health(NamedTuple):
    """One component's answer. `reason` says why it is not `ok`, without what its error said."""

    tenant: str | None
    key: str
    provider: str
    ok: bool
    reason: str | None


async def ask_all(host: AnyHost, seconds: float | None = None) -> tuple[Health, ...]:
    """One answer for each active component of the application's own, sorted by tenant (the base first) and key: what
    they answer within `seconds`, at most their deadline."""
    answers = await asyncio.gather(*(ask(held, seconds) for held in owned(host)))
    return tuple(sorted(answers, key=lambda answer: (answer.tenant or "", answer.key)))


def owned(host: AnyHost) -> list[Held]:
    """The active components of the application's own."""
    return [held for held in host.active.values() if held.owned]


async def ask(held: Held, seconds: float | None = None) -> Health:
    """One component's answer within `seconds`, at most its deadline. It is leased meanwhile, and asked once at a time:
    a check that hangs in a thread is one thread, however often it is asked for."""
    held.leases += 1
    try:
        reason = await _reason(held, seconds)
    finally:
        held.give_back()
    slot = held.slot
    return Health(slot.tenant, slot.key, slot.binding.provider, reason is None, reason)


async def _reason(held: Held, seconds: float | None) -> str | None:
    """Why the component is not well; None if it is."""
    if held.stay is not None and (why := held.stay.ended()) is not None:
        return why
    health = lifecycle(held.instance, "health")
    if health is None:
        return ended(held.instance)
    longest = held.slot.scope.host.deadlines.health
    asked = held.asked
    if asked is None or asked.done():
        asked = held.asked = asyncio.ensure_future(contained(_answer(held, health, longest)))
        asked.add_done_callback(lambda done: done.cancelled() or done.exception())
    seconds = longest if seconds is None else min(seconds, longest)
    await asyncio.wait((asked,), timeout=seconds)
    if not asked.done():
        return f"health took longer than {seconds:g} seconds"
    try:
        return "health() answered False" if asked.result() is False else ended(held.instance)
    except asyncio.CancelledError:
        return "health was cancelled: the component is being closed"
    except Failed as error:
        return f"health {error}"
    except Exception as error:
        return f"health raised {type(error).__name__}"


async def _answer(held: Held, health: Callable[[], Any], seconds: float) -> Any:
    """What the check comes to: given up after so many seconds where it is of this loop, never in its thread."""
    result = await begun(health, blocking=held.binding.blocking)
    return await bounded(asyncio.ensure_future(contained(result)), seconds) if inspect.isawaitable(result) else result


def ended(instance: object) -> str | None:
    """What a background task of the component ended with, where that is an error: a task, or one of a nursery, that it
    keeps in an attribute, or in a collection there. None where none did."""
    errors = (_error(each) for each in _kept(instance))
    error = next((error for error in errors if error is not None), None)
    return None if error is None else f"a background task of it raised {type(error).__name__}"


def nurseries(instance: object) -> list[Nursery]:
    """Those that a component keeps in an attribute, or in a collection there."""
    return [each for each in _kept(instance) if _is(each, Nursery)]


def _error(kept: Any) -> BaseException | None:
    if _is(kept, asyncio.Task):
        return kept.exception() if kept.done() and not kept.cancelled() else None
    return kept.failure if _is(kept, Nursery) else None


def _kept(instance: object) -> Iterator[Any]:
    """What is in the attributes of an instance, and in collections there."""
    if not has_no_lifecycle(instance):
        for value in _attributes(instance):
            yield from _within(value)


def _within(value: Any) -> Iterable[Any]:
    """What there is in a collection, or the value itself."""
    if type(value) not in (list, tuple, set, dict):
        return (value,)
    if len(value) > _LARGEST:
        return ()
    return cast("Iterable[Any]", value.values() if isinstance(value, dict) else value)


def _is(value: object, kind: type) -> bool:
    return issubclass(type(value), kind)  # without asking the value, which may say anything


def _attributes(instance: object) -> list[object]:
    """What the instance keeps, in its dictionary and its slots, without a call of anything that it defines."""
    kept: list[object] = []
    with suppress(AttributeError):
        kept += object.__getattribute__(instance, "__dict__").values()
    for kind in type(instance).__mro__:
        for member in vars(kind).values():
            if type(member) is MemberDescriptorType:
                with suppress(AttributeError):
                    kept.append(member.__get__(instance))
    return kept
