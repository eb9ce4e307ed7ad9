"""One change at a time: requests wait their turn, and one that says the same as the last in the queue joins it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from oneiric.errors import RuntimeClosed
from oneiric.host import Host
from oneiric.reload.outcome import Change, Outcome


class _Request:
    """One change asked for, shared by everyone who asked. Without waiters it is cancelled."""

    def __init__(self, host: Host, what: object, work: Callable[[], Awaitable[Change]], turn: asyncio.Lock) -> None:
        self.what = what
        self.begun = False
        self.committed = False
        self._work = work
        self._turn = turn
        self._waiters = 0
        self.task: asyncio.Task[Outcome] = host.spawn(self._run())

    async def _run(self) -> Outcome:
        if not hasattr(self, "task"):  # the loop starts tasks at once: let this be known first
            await asyncio.sleep(0)
        async with self._turn:
            self.begun = True
            change = await self._work()
            self.committed = True
        if change.settling is None:
            return change.outcome
        await asyncio.wait((change.settling,))
        reports = change.outcome.reports + change.settling.result()
        return change.outcome._replace(reports=reports)

    async def outcome(self) -> Outcome:
        """Wait for it. Raises `RuntimeClosed` where a shutdown came between."""
        self._waiters += 1
        try:
            await asyncio.wait((self.task,))
        finally:
            self._waiters -= 1
            if not self._waiters and not self.task.done():
                self.task.cancel()
        if self.task.cancelled():
            raise RuntimeClosed("the runtime was closed before the change was committed")
        return self.task.result()


class Turns:
    """The queue of one runtime's changes."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._turn = asyncio.Lock()
        self._last: _Request | None = None
        self._requests: set[_Request] = set()

    async def take(self, what: object, work: Callable[[], Awaitable[Change]]) -> Outcome:
        """Do the work when it is its turn. Raises `RuntimeNotRunning`, `RuntimeClosed`."""
        refusal = self._host.refusal()
        if refusal is not None:
            raise refusal
        request = self._last
        if request is None or request.begun or request.task.done() or request.what != what:
            request = self._last = _Request(self._host, what, work, self._turn)
            self._requests.add(request)
            request.task.add_done_callback(lambda _: self._requests.discard(request))
        return await request.outcome()

    def uncommitted(self) -> list[asyncio.Task[Outcome]]:
        """Those that wait or have not come to an end."""
        return [request.task for request in self._requests if not request.committed]
