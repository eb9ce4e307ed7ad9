"""How the cases of a contract are run: each in a loop of its own, under a deadline, leaving no task behind."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, TypeVar

from oneiric.lifecycle.health import ended, nurseries

T = TypeVar("T")

DEADLINE = 60.0
"""Seconds a case may take before it counts as hung."""


class Contract(Generic[T]):
    """The base of the contracts: a subclass says how to get a fresh component."""

    def fresh(self) -> AbstractAsyncContextManager[T]:
        """A started component without content, closed at the end of the block; see `started`."""
        raise NotImplementedError("a contract needs a component: override fresh()")

    def check(self, case: Callable[[T], Awaitable[None]]) -> None:
        """Run one case against a fresh component."""

        async def with_fresh() -> None:
            async with self.fresh() as component:
                await case(component)

        run(with_fresh())


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` in a new loop within the deadline, and see that no task outlives it."""

    async def watched() -> None:
        await asyncio.wait_for(main, DEADLINE)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks are left behind: {left}"

    asyncio.run(watched())


@asynccontextmanager
async def started(component: T) -> AsyncGenerator[T, None]:
    """Start a component as the runtime does, and close it at the end of the block."""
    try:
        await _call(component, "start")
        yield component
    finally:
        await close(component)


async def close(component: object) -> None:
    """Close a component as the runtime does: its nurseries, then itself by `aclose` or else `close`, sync or async."""
    for nursery in nurseries(component):
        await nursery.aclose()
    await _call(component, "aclose" if hasattr(component, "aclose") else "close")


async def health(component: object) -> bool:
    """The health of a component; one without `health` is healthy, and none of which a background task failed."""
    told = bool(await _call(component, "health")) if hasattr(component, "health") else True
    return told and ended(component) is None


def capabilities(component: object) -> frozenset[str]:
    """What the declaration of a component says it can do."""
    return frozenset(
        capability
        for declaration in getattr(type(component), "__oneiric__", ())
        for capability in declaration.arguments["capabilities"]
    )


def ports(component: object) -> list[str]:
    """The ports that the declarations of a component name."""
    declared = [declaration.arguments["port"] for declaration in getattr(type(component), "__oneiric__", ())]
    return [port for port in declared if port is not None]


async def cancelled_at_every_step(
    work: Callable[[], Coroutine[Any, Any, object]], step: float = 1.25
) -> AsyncGenerator[int, None]:
    """Run `work()` again and again, cancelled after ever more turns of the loop, until one run is not cancelled.

    Yields the number of turns after each cancelled run, for the caller to look at what is left. A run that a
    cancellation hangs fails by the deadline of the case. `step`: how many times the turns of the run before, where
    that is one turn more at least.
    """
    turns = 0
    while True:
        task = asyncio.ensure_future(work())
        for _ in range(turns):
            if task.done():
                break
            await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            yield turns
        else:
            return
        turns = max(turns + 1, int(turns * step))


async def _call(component: object, method: str) -> object:
    function = getattr(component, method, None)
    result = function() if function is not None else None
    return await result if inspect.isawaitable(result) else result
