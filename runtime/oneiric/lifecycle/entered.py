"""What a factory gives that has to be entered and left: a context manager, or a generator that yields the instance.

One is entered and left in one task, or where it is synchronous in one context, so that the context variables, cancel
scopes and task groups in it are at home on both ways.
"""

from __future__ import annotations

import asyncio
import inspect
from contextvars import copy_context
from typing import Any

from oneiric.lifecycle.steps import Failed, contained

_staying: set[asyncio.Task[None]] = set()
"""The loop itself keeps no task alive."""


class TaskStay:
    """The stay in an asynchronous one, for as long as its instance is used: a task that enters, waits and leaves."""

    def __init__(self, made: Any) -> None:
        loop = asyncio.get_running_loop()
        self._entered: asyncio.Future[Any] = loop.create_future()
        self._asked: asyncio.Future[None] = loop.create_future()
        self._task = loop.create_task(contained(self._stay(_manager(made, "__aenter__", _AsyncOnce))))
        _staying.add(self._task)
        self._task.add_done_callback(_staying.discard)

    async def _stay(self, manager: Any) -> None:
        async with manager as instance:
            self._entered.set_result(instance)
            await self._asked

    async def enter(self) -> Any:
        """The instance. When cancelled, so is the stay; an instance that comes all the same is for its caller to close.
        Raises `Failed`, and what the entering does."""
        while not self._entered.done() and not self._task.done():
            try:
                await asyncio.wait((self._entered, self._task), return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                self._task.cancel()
        if self._task.done():
            self._task.result()
        return self._entered.result()

    async def leave(self) -> None:
        """Let it leave, and wait until it has; when cancelled, so is the leaving. Raises `Failed`, and what the leaving
        does, or did where it ended of itself."""
        if not self._asked.done():
            self._asked.set_result(None)
        try:
            await asyncio.wait((self._task,))
        except asyncio.CancelledError:
            self._task.cancel()
            await asyncio.wait((self._task,))
            raise
        if not self._task.cancelled():
            self._task.result()

    def ended(self) -> str | None:
        """Why it is over before anybody closed it; None while it goes on."""
        if not self._task.done():
            return None
        error = None if self._task.cancelled() else self._task.exception()
        return f"its factory left by itself{f' and raised {type(error).__name__}' if error else ''}"


class ThreadStay:
    """The stay in a synchronous one: entered and left by threads, one after the other, in one context."""

    def __init__(self, made: Any) -> None:
        self._manager = _manager(made, "__enter__", _Once)
        self._context = copy_context()

    def enter(self) -> Any:
        """The instance. Raises `Failed`, and what the entering does."""
        return self._context.run(self._manager.__enter__)

    def leave(self) -> None:
        """Leave. Raises `Failed`, and what the leaving does."""
        self._context.run(self._manager.__exit__, None, None, None)

    def ended(self) -> str | None:
        """Nothing ends it but a close."""
        return None


def _manager(made: object, enters: str, once: type[_Once | _AsyncOnce]) -> Any:
    """The context manager to enter. Raises `Failed`."""
    kind = type(made)
    generator: Any = getattr(made, "gen", made) if kind.__module__ == "contextlib" else made
    if hasattr(generator, once.steps):
        return once(generator)
    if hasattr(kind, enters):
        return made
    raise Failed(f"gave what cannot be entered: {kind.__qualname__}")


class _Once:
    """A generator as a context manager: it yields once."""

    steps = "__next__"

    def __init__(self, generator: Any) -> None:
        self._generator = generator

    def __enter__(self) -> Any:
        for instance in self._generator:
            return instance
        raise Failed(f"ended without a yield: {_name(self._generator)}")

    def __exit__(self, *_: object) -> None:
        for _instance in self._generator:
            if inspect.isgenerator(self._generator):
                self._generator.close()
            raise Failed(f"met a second yield: {_name(self._generator)}")


class _AsyncOnce:
    """An asynchronous generator as a context manager: it yields once."""

    steps = "__anext__"

    def __init__(self, generator: Any) -> None:
        self._generator = generator

    async def __aenter__(self) -> Any:
        try:
            return await self._generator.__anext__()
        except StopAsyncIteration:
            raise Failed(f"ended without a yield: {_name(self._generator)}") from None

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        throw: Any = getattr(self._generator, "athrow", None) if error is not None else None
        try:
            await (throw(error) if throw else self._generator.__anext__())
        except StopAsyncIteration:
            return throw is not None
        except BaseException as raised:
            if raised is error:
                return False
            raise
        if inspect.isasyncgen(self._generator):
            await self._generator.aclose()
        raise Failed(f"met a second yield: {_name(self._generator)}")


def _name(generator: Any) -> str:
    """What it was made by, as its author calls it."""
    return str(getattr(generator, "__qualname__", type(generator).__qualname__))
