"""The functions that are called at each reload."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from oneiric.errors import OneiricError
from oneiric.lifecycle.steps import Failed, bounded, contained
from oneiric.reload.outcome import Event

HOOKS = ("pre-swap", "post-swap", "cleanup")
Call: TypeAlias = "Callable[[Event], Awaitable[None] | None]"


class HookFailed(OneiricError):
    """A hook raised or took too long; the cause is chained."""


class Hooks:
    """Functions by hook, called one after the other in the order they came."""

    def __init__(self) -> None:
        self._calls: dict[str, list[Call]] = {hook: [] for hook in HOOKS}

    def add(self, hook: str, call: Call) -> None:
        """Raises ValueError for a hook there is not."""
        if hook not in self._calls:
            raise ValueError(f"there is no hook {hook!r}: {', '.join(HOOKS)}")
        self._calls[hook].append(call)

    async def run(self, event: Event, seconds: float) -> list[HookFailed]:
        """Call all of a hook, each under the deadline; what went wrong."""
        failed: list[HookFailed] = []
        for call in list(self._calls[event.hook]):
            try:
                await bounded(asyncio.ensure_future(contained(_call(call, event))), seconds)
            except Failed as error:
                failed.append(_failed(event, call, str(error), error))
            except Exception as error:
                failed.append(_failed(event, call, f"raised {type(error).__name__}", error))
        return failed


async def _call(call: Call, event: Event) -> None:
    result = call(event)
    if inspect.isawaitable(result):
        await result


def _failed(event: Event, call: Call, what: str, cause: Exception) -> HookFailed:
    name = getattr(call, "__qualname__", type(call).__qualname__)
    error = HookFailed(f"the {event.hook} hook {name} {what}")
    error.__cause__ = cause
    return error
