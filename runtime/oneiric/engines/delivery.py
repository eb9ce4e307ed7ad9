"""Direct delivery: an event to handlers of this process, the highest priority first, each on its own.

Handlers of one priority run beside each other, those of a lower one when they are over. What one does, raising, hanging
until its timeout, cancelling itself, concerns no other. Nothing is kept: a process that dies delivers no more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from itertools import groupby
from typing import Any, TypeAlias

from oneiric.engines.subscriptions import Subscription
from oneiric.envelope import Delivered, State
from oneiric.errors import OneiricError
from oneiric.flows.attempts import attempted
from oneiric.flows.model import Step, StepFailed, Unserved
from oneiric.lifecycle.steps import contained

_GRACE = 1.0
"""Seconds that a handler which is cancelled has to end."""
Handle: TypeAlias = Callable[[Subscription], Coroutine[Any, Any, Any]]
"""Makes one call of a subscription's handler with the event that is delivered."""


class Places:
    """How many deliveries of a subscription may be under way in this process at a time, per tenant."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken: dict[tuple[str | None, str, int], asyncio.Semaphore] = {}

    def of(self, tenant: str | None, subscription: Subscription) -> AbstractAsyncContextManager[Any]:
        """One of them, for an `async with` block."""
        if subscription.at_once is None:
            return nullcontext()
        key = (tenant, subscription.name, subscription.at_once)
        place = self._taken.get(key)
        if place is None:
            place = self._taken[key] = asyncio.Semaphore(subscription.at_once)
        return place


async def deliver(
    subscriptions: Iterable[Subscription], handle: Handle, places: Places, *, event: str, tenant: str | None
) -> list[Delivered]:
    """What each handler came to, in the order of the subscriptions, which is that of their priority. `event` names the
    event. Cancelled, it cancels what is under way."""
    answers: list[Delivered] = []
    for _, group in groupby(subscriptions, key=lambda each: each.priority):
        async with asyncio.TaskGroup() as tasks:
            under_way = [(each, tasks.create_task(_delivered(each, handle, places, event, tenant))) for each in group]
        answers += [_cancelled(each) if task.cancelled() else task.result() for each, task in under_way]
    return answers


async def _delivered(
    subscription: Subscription, handle: Handle, places: Places, event: str, tenant: str | None
) -> Delivered:
    """One delivery, in a task of its own. Whatever the handler raises is in the answer."""
    calls = 0

    async def call() -> Any:
        nonlocal calls
        calls += 1
        work = contained(handle(subscription))
        return await (_within(work) if subscription.timeout is None else _apart(work))

    step = Step(event, 0, subscription.name, subscription.call, {}, subscription.retry, subscription.timeout, tenant)
    async with places.of(tenant, subscription):
        began = time.monotonic()
        error: str | None = None
        value: Any = None
        try:
            value = await attempted(step, call)
        except StepFailed as failed:
            error = f"{failed.type}: {failed.message}"
        except Unserved as unserved:
            error = f"{type(unserved).__name__}: {unserved}"
    state: State = "completed" if error is None else "failed"
    return Delivered(subscription.name, state, time.monotonic() - began, value, error, calls)


class HandlerCancelled(OneiricError):
    """A handler was cancelled by itself: nobody had cancelled the delivery."""

    def __init__(self) -> None:
        super().__init__("the handler cancelled itself")


def _cancelled(subscription: Subscription) -> Delivered:
    error = HandlerCancelled()
    return Delivered(subscription.name, "failed", error=f"{type(error).__name__}: {error}", attempts=1)


async def _within(work: Coroutine[Any, Any, Any]) -> Any:
    """What a handler comes to in this task, which it may have to itself."""
    task = asyncio.current_task()
    asked = task.cancelling() if task is not None else 0
    try:
        return await work
    except asyncio.CancelledError:
        if task is not None and task.cancelling() > asked:
            raise
        raise HandlerCancelled from None


async def _apart(work: Coroutine[Any, Any, Any]) -> Any:
    """What a handler comes to in a task that can be left behind, where its end is not to wait for one that hangs."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_retrieve)
    try:
        await asyncio.wait((task,))
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait((task,), timeout=_GRACE)
        raise
    if task.cancelled():
        raise HandlerCancelled
    return task.result()


def _retrieve(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()
