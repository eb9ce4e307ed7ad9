"""Looking at active components, again and again: what they answered last is known without waiting for anybody, and
those that are to be made again when they fail are."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from oneiric.lifecycle.health import Health, ask, owned
from oneiric.slot import Held, Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneiric.slot import AnyHost

PERIOD = 5.0
"""Seconds between two looks."""
MOST, WINDOW = 5, 600.0
"""Times that a component is restarted within so many seconds. After that it stays as it is, unhealthy."""
FIRST, LONGEST = 1.0, 60.0
"""Seconds until the first of these restarts, and until the last."""


def wait_before(restart: int) -> float:
    """Seconds until a restart, which is the first of its window (0), or a later one."""
    return FIRST * float((LONGEST / FIRST) ** (restart / (MOST - 1)))


class Looks:
    """Of one application. `renew` makes a component again; `told` is called where an answer is another than before."""

    def __init__(
        self,
        host: AnyHost,
        renew: Callable[[Held], Awaitable[None]],
        *,
        period: float | None = None,
        told: Callable[[Health], object] = lambda _: None,
    ) -> None:
        self._host = host
        self._renew = renew
        self._period = PERIOD if period is None else period
        self._told = told
        self._task: asyncio.Task[None] | None = None
        self._seen: dict[Held, Health] = {}
        self._restarts: dict[Slot[Any], deque[float]] = {}
        self._restarting: dict[Held, asyncio.Task[None]] = {}

    def begin(self) -> None:
        """Look from now on."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Look no more, and give up what is being restarted."""
        tasks = [task for task in (self._task, *self._restarting.values()) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def unwell(self) -> list[Health]:
        """The last answers of active components that were not well, sorted by tenant and key."""
        active = self._host.active
        found = [seen for held, seen in self._seen.items() if not seen.ok and active.get(held.slot) is held]
        return sorted(found, key=lambda answer: (answer.tenant or "", answer.key))

    async def _run(self) -> None:
        while True:
            helds = owned(self._host)
            self._seen = {held: self._seen[held] for held in helds if held in self._seen}
            await asyncio.gather(*map(self._look, helds))
            await asyncio.sleep(self._period)

    async def _look(self, held: Held) -> None:
        answer = await ask(held)
        if self._host.active.get(held.slot) is not held:
            return
        if not answer.ok and (given_up := self._restart(held)):
            answer = answer._replace(reason=f"{answer.reason}; {given_up}")
        before = self._seen.get(held)
        self._seen[held] = answer
        if answer != before and not (before is None and answer.ok):
            self._told(answer)

    def _restart(self, held: Held) -> str | None:
        """Restart a component that is unwell, where its binding says so; why not, where that was tried too often."""
        slot = held.slot
        if not slot.binding.restart or held in self._restarting or slot.key in self._host.paused:
            return None
        now = asyncio.get_running_loop().time()
        times = self._restarts.setdefault(slot, deque())
        while times and times[0] < now - WINDOW:
            times.popleft()
        if len(times) >= MOST:
            return f"restarted {MOST} times in {WINDOW / 60:g} minutes"
        waits = self._restart_after(held, wait_before(len(times)))
        times.append(now)
        task = self._restarting[held] = asyncio.get_running_loop().create_task(waits)
        task.add_done_callback(lambda _: self._restarting.pop(held, None))
        return None

    async def _restart_after(self, held: Held, wait: float) -> None:
        await asyncio.sleep(wait)
        seen = self._seen.get(held)
        if seen is not None and not seen.ok:
            try:
                await self._renew(held)
            except Exception as error:
                self._host.report(error)
