"""One change at a time: requests wait their turn, and one that is equal to the last in the queue joins it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from oneiric.errors import RuntimeClosed
from oneiric.host import Host
from oneiric.reload.outcome import Change, Outcome
from oneiric.reload.request import Request


class _Waiting:
    """One request and everyone who waits for what it comes to. Without anyone it is cancelled."""

    def __init__(self, requests: Requests, request: Request) -> None:
        self.request = request
        self.begun = False
        self.committed = False
        self.given_up = False
        self._requests = requests
        self._waiters = 0
        self.task: asyncio.Task[Outcome] = requests.host.spawn(self._run())

    async def _run(self) -> Outcome:
        if not hasattr(self, "task"):  # the loop starts tasks at once: let this be known first
            await asyncio.sleep(0)
        async with self._requests.turn:
            self.begun = True
            change = await self._requests.do(self.request)
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
                self.given_up = True
                self.task.cancel()
        if self.task.cancelled():
            raise RuntimeClosed("the runtime was closed before the change was committed")
        return self.task.result()


class Requests:
    """The requests of one application; `do` is called with each when it is its `turn`."""

    def __init__(self, host: Host, do: Callable[[Request], Awaitable[Change]]) -> None:
        self.host = host
        self.do = do
        self.turn = asyncio.Lock()
        self._last: _Waiting | None = None
        self._all: set[_Waiting] = set()

    async def take(self, request: Request) -> Outcome:
        """What a request comes to. Raises `RuntimeNotRunning`, `RuntimeClosed`."""
        refusal = self.host.refusal()
        if refusal is not None:
            raise refusal
        last = self._last
        if last is None or last.begun or last.given_up or last.task.done() or last.request != request:
            last = self._last = _Waiting(self, request)
            self._all = {each for each in self._all if not each.task.done()} | {last}
        return await last.outcome()

    async def commit(self, request: Request) -> Outcome:
        """The same in its turn, without waiting until what it replaces is closed. Cancelling it gives it up."""
        async with self.turn:
            return (await self.do(request)).outcome

    def uncommitted(self) -> list[asyncio.Task[Outcome]]:
        """Those that wait, or have not come to their commit."""
        return [each.task for each in self._all if not each.committed and not each.task.done()]
