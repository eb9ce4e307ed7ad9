"""The engine of the domain task: fires schedules while the application runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from oneiric.declared import work_of
from oneiric.engines.firing import Firing, Planned
from oneiric.host import Host
from oneiric.tracing import words

_LEAST, _SOON, _OFTEN, _LONGEST = 0.02, 1.0, 10.0, 30.0
"""Seconds until the next look: at least, while a tick waits, at most, and at most where looking fails."""
_log = logging.getLogger("oneiric.schedules")


def now() -> datetime:
    """The clock that schedules go by."""
    return datetime.now(UTC)


class Schedules:
    """What fires the schedules of an application in one process."""

    def __init__(self, host: Host, attribute: str) -> None:
        self._host = host
        self._firing = Firing(host)
        self._plans: list[Planned] = []
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._stopping = False
        self._failing: dict[str, str] = {}

    async def start(self) -> None:
        """Begin, with what was missed."""
        await self._follow()

    async def settle(self, plan: Any) -> None:
        """Go over to what another wiring says."""
        await self._follow()

    async def stop(self) -> None:
        """Fire nothing more; what is being submitted is finished."""
        self._stopping = True
        self._woken.set()
        if self._task is not None:
            await asyncio.wait((self._task,))
            await work_of(self._host.base).end(self)

    async def _follow(self) -> None:
        self._plans = await self._firing.plans()
        if self._task is None and self._plans:
            await work_of(self._host.base).begin(self)
            self._task = asyncio.ensure_future(self._run())
        if self._task is not None:
            await self._firing.forget(self._plans)
            self._woken.set()

    async def _run(self) -> None:
        failing = 0.0
        while not self._stopping:
            self._woken.clear()
            try:
                wait = await self._look()
            except Exception as error:
                if not failing:
                    _log.warning("schedules wait: %s", words(error))
                wait = failing = min(max(failing * 2, 0.1), _LONGEST)
            else:
                failing = 0.0
            await self._pause(wait)

    async def _look(self) -> float:
        """Fire what is due; seconds until the next look."""
        plans = self._plans
        at = now()
        fired = await self._firing.look(plans, at)
        self._tell(fired.failed)
        wait = _SOON if fired.waiting or fired.failed else _OFTEN
        for plan in plans:
            following = plan.next(at)
            if following is not None:
                wait = min(wait, (following - now()).total_seconds())
        return max(wait, _LEAST)

    def _tell(self, failed: Mapping[str, Exception]) -> None:
        """Log what fails, once."""
        failing = {title: words(error) for title, error in failed.items()}
        for title, why in failing.items():
            if self._failing.get(title) != why:
                _log.warning("schedule %s waits: %s", title, why)
        self._failing = failing

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass
