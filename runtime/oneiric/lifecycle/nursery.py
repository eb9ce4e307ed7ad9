"""Background tasks of a component."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from oneiric.errors import NurseryEnded
from oneiric.lifecycle.steps import contained

T = TypeVar("T")


class Nursery:
    """Background tasks of a component, which end when it closes; one that fails makes it unhealthy.

        class Poller:
            def __init__(self, *, every: float = 5.0) -> None:
                self._every = every
                self._tasks = Nursery()

            async def start(self) -> None:
                self._tasks.create_task(self._poll())

    Keep it in an attribute of the component, or in a list, tuple, set or dict there. The runtime cancels its tasks and
    waits for them before it closes the component, for the `close` deadline at most. As in an `asyncio.TaskGroup` a task
    that fails ends the others; it is the component's health then, and a part of what its closing comes to.
    """

    __slots__ = ("_closed", "_failures", "_tasks", "_untold")

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failures: list[BaseException] = []
        self._untold: list[BaseException] = []
        self._closed = False

    @property
    def failure(self) -> BaseException | None:
        """What the first task that failed ended with; None where none did."""
        return self._failures[0] if self._failures else None

    def create_task(self, work: Coroutine[Any, Any, T], *, name: str | None = None) -> asyncio.Task[T]:
        """A task of the running loop. Raises `NurseryEnded` once the nursery is closed, or a task of it failed.

        What it raises that is no `Exception` ends the task, and not the loop.
        """
        if self._closed or self._failures:
            work.close()
            why = "it is closed" if self._closed else f"a task of it raised {type(self._failures[0]).__name__}"
            raise NurseryEnded(why)
        called = getattr(work, "__qualname__", None) if name is None else name
        task: asyncio.Task[T] = asyncio.get_running_loop().create_task(contained(work), name=called)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def aclose(self) -> None:
        """Cancel the tasks that run, and wait until they have ended; take no others.

        Raises an exception group of what tasks failed with, each told once. Cancelling this leaves them cancelled, and
        waits no longer.
        """
        await self.end()
        if errors := self.untold():
            raise BaseExceptionGroup("background tasks failed", errors)

    async def end(self) -> None:
        """The same, and say nothing of what failed."""
        self._closed = True
        own = asyncio.current_task()
        self._cancel(own)
        while others := self._tasks - {own}:
            await asyncio.wait(others)

    def untold(self) -> list[BaseException]:
        """What tasks failed with, unless this gave it before."""
        errors, self._untold = self._untold, []
        return errors

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failures.append(error)
            self._untold.append(error)
            self._cancel()

    def _cancel(self, but: asyncio.Task[Any] | None = None) -> None:
        """Once each: a task may take its time to clean up."""
        for task in self._tasks - {but}:
            if not task.cancelling():
                task.cancel("the nursery ends")
