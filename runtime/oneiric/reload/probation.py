"""The window after a commit in which a component that turns unhealthy brings the previous generation back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from oneiric.host import Host
from oneiric.lifecycle.health import Health, ask_all
from oneiric.reload.outcome import Rejected

_LOOKS = 20
_MOST = 1.0  # seconds between two looks at most


class Probation:
    """Of one commit. What was unwell before it does not count."""

    def __init__(self, host: Host, seconds: float) -> None:
        self._host = host
        self._seconds = seconds
        self._before: frozenset[tuple[str | None, str]] = frozenset()
        self._task: asyncio.Task[None] | None = None

    async def look(self) -> list[Health]:
        """The components that are unwell and were not when it began."""
        answers = await ask_all(self._host)
        return [each for each in answers if not each.ok and (each.tenant, each.key) not in self._before]

    async def remember(self) -> None:
        """What is unwell now does not count."""
        self._before |= {(each.tenant, each.key) for each in await self.look()}

    def begin(self, new: Rejected, unwell: Callable[[Rejected], Awaitable[None]]) -> None:
        """Look until the window is over; the first time something turned unhealthy call `unwell` with the generation
        and the reason."""
        self._task = self._host.spawn(self._run(new, unwell))

    def stop(self) -> None:
        """Look no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    async def _run(self, new: Rejected, unwell: Callable[[Rejected], Awaitable[None]]) -> None:
        loop, window = asyncio.get_running_loop(), self._seconds
        until = loop.time() + window
        while loop.time() < until:
            await asyncio.sleep(min(_MOST, window / _LOOKS))
            found = await self.look()
            if found:
                self._task = None
                reason = "; ".join(f"{each.key} ({each.provider}): {each.reason}" for each in found)
                why = f"generation {new.generation[:12]} turned unhealthy: {reason}"
                await unwell(new._replace(reason=why))
                return
