"""Engines: what drives the components of a domain beside the calls of the application.

A domain names its engine, `__engine__ = "module:Class"`; the class is called with the host and the domain's attribute
in the wiring. An engine starts when everything eager is active, is told of each reload before what that replaced is
closed, and stops before anything is closed; while it stops, it can still activate what its last work needs. Its calls
never overlap, and each has a deadline. One whose `start` failed is stopped as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from functools import partial
from typing import Any, NamedTuple, Protocol

from oneiric.errors import EngineError, OneiricError
from oneiric.host import Host
from oneiric.lifecycle.activation import cancel
from oneiric.lifecycle.steps import Failed, bounded, call, contained, in_thread, lifecycle
from oneiric.references import load
from oneiric.roles import starts
from oneiric.wiring import domains_of


class Engine(Protocol):
    """What an engine may offer; each method is async, or run in a thread."""

    def start(self) -> Awaitable[None] | None: ...

    def settle(self, plan: Any) -> Awaitable[None] | None:
        """The plan (`oneiric.Plan`) of a reload that was committed; what the host shows is the new wiring."""
        ...

    def stop(self) -> Awaitable[None] | None:
        """End the work under way. Cancelled at the drain deadline, or when nobody waits any longer."""
        ...


class _Running(NamedTuple):
    named: str
    engine: Engine


def engines_named(host: Host) -> dict[str, str]:
    """The engines of the current wiring by the attribute of their domain: in a process of a role, those of its keys."""
    return {
        attribute: domain.__engine__
        for attribute, domain, bindings in domains_of(host.wiring_class)
        if domain.__engine__ is not None
        and (host.role is None or starts(host.wiring_class, host.role, [each.key for each in bindings.values()]))
    }


def engines_of(host: Host) -> Engines | None:
    """Those of an application; None as long as no domain had one."""
    if host.engines is None and engines_named(host):
        host.engines = Engines(host)
    engines = host.engines
    assert engines is None or isinstance(engines, Engines)
    return engines


class Engines:
    """The engines of one application."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._running: dict[str, _Running] = {}
        self._following: set[asyncio.Task[list[Exception]]] = set()
        self._turn = asyncio.Lock()
        self._over = False

    async def start(self) -> None:
        """Start those that the wiring names, one after the other. Raises `EngineError`."""
        async with self._turn:
            for attribute, named in engines_named(self._host).items():
                await self._start(attribute, named)

    async def follow(self, plan: Any) -> list[Exception]:
        """After a commit: stop those that the wiring no longer names, tell the others, start new ones; what failed."""
        # A task of its own, which a shutdown can end: the rest of the reload, which drains, has to go on.
        task = asyncio.ensure_future(self._follow(plan))
        self._following.add(task)
        await asyncio.wait((task,))
        self._following.discard(task)
        return [] if task.cancelled() else task.result()

    async def _follow(self, plan: Any) -> list[Exception]:
        errors: list[Exception] = []
        async with self._turn:
            if self._over:
                return errors
            named = engines_named(self._host)
            for attribute, running in list(self._running.items()):
                if named.get(attribute) == running.named:
                    errors += await self._settle(attribute, plan)
                else:
                    errors += await self._stop(attribute, self._until())
            for attribute in [each for each in named if each not in self._running]:
                try:
                    await self._start(attribute, named[attribute])
                except EngineError as error:
                    errors += [error, *await self._stop(attribute, self._until())]
        return errors

    async def stop(self, until: float) -> list[Exception]:
        """For good, the last one first; each has until then (of the loop), and at least the `close` deadline."""
        self._over = True
        await cancel(self._following)
        async with self._turn:
            return [error for each in reversed(list(self._running)) for error in await self._stop(each, until)]

    async def _start(self, attribute: str, named: str) -> None:
        async def make() -> Engine:
            engine: Engine = (await in_thread(load, named)).get()(self._host, attribute)
            return engine

        deadlines = self._host.deadlines
        engine: Engine = await _step(attribute, "start", contained(make()), deadlines.factory)
        self._running[attribute] = _Running(named, engine)
        await _call(attribute, "start", engine, deadlines.start)

    async def _settle(self, attribute: str, plan: Any) -> list[Exception]:
        try:
            await _call(attribute, "settle", self._running[attribute].engine, self._host.deadlines.hook, plan)
        except EngineError as error:
            return [error]
        return []

    async def _stop(self, attribute: str, until: float) -> list[Exception]:
        running = self._running.pop(attribute, None)
        if running is None:
            return []
        seconds = max(until - asyncio.get_running_loop().time(), self._host.deadlines.close)
        stopping = asyncio.ensure_future(_call(attribute, "stop", running.engine, seconds))
        await asyncio.wait((stopping, self._host.hurry), return_when=asyncio.FIRST_COMPLETED)
        await cancel([stopping])
        if stopping.cancelled():
            return [EngineError(attribute, "stop", "stop was cut short: the exit was cancelled")]
        error = stopping.exception()
        return [error] if isinstance(error, Exception) else []

    def _until(self) -> float:
        return asyncio.get_running_loop().time() + self._host.deadlines.drain


async def _call(attribute: str, step: str, engine: Engine, seconds: float, *arguments: Any) -> None:
    method = lifecycle(engine, step)
    if method is not None:
        await _step(attribute, step, call(partial(method, *arguments), blocking=True), seconds)


async def _step(attribute: str, step: str, work: Coroutine[Any, Any, Any], seconds: float) -> Any:
    """What it comes to. Raises `EngineError`."""
    try:
        return await bounded(asyncio.ensure_future(work), seconds)
    except Failed as error:
        raise EngineError(attribute, step, f"{step} {error}") from error
    except OneiricError as error:
        raise EngineError(attribute, step, f"{step} failed: {error}") from error
    except Exception as error:
        raise EngineError(attribute, step, f"{step} raised {type(error).__name__}") from error
