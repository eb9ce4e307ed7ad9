"""Events of other applications: read from a queue, submitted, then acknowledged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from oneiric.adapters.queue import Queue
from oneiric.engines.emitting import Emitter
from oneiric.engines.relay import accept
from oneiric.envelope import Envelope, decoded

_WAIT = 10.0
_PAUSED = 0.5
_LONGEST = 30.0
_log = logging.getLogger("oneiric.events")


class Incoming:
    """What imports the events of one queue into this process, one at a time. `later` takes on the direct deliveries."""

    def __init__(self, emitter: Emitter, key: str, later: Callable[[Envelope], None]) -> None:
        self.key = key
        self._emitter = emitter
        self._later = later
        self._busy = False
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin to import."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """End; an event under way is finished."""
        self._stopping = True
        task = self._task
        if task is None:
            return
        if not self._busy:
            task.cancel()
        await asyncio.wait((task,))

    async def _run(self) -> None:
        failing = 0.0
        while not self._stopping:
            if self.key in self._emitter.host.paused:
                await asyncio.sleep(_PAUSED)
                continue
            try:
                await self._one()
                failing = 0.0
            except Exception as error:
                self._busy = False
                if not failing:
                    _log.warning("the import from %s failed: %s: %s", self.key, type(error).__name__, error)
                failing = min(max(failing * 2, 0.1), _LONGEST)
                await asyncio.sleep(failing)

    async def _one(self) -> None:
        """One message. What cannot be read or submitted is given back; the queue keeps it, in the end as a dead
        letter."""
        queue: Queue = self._emitter.host.base.place(self.key).live
        envelope: Envelope | None = None
        async with queue.consume(wait=_WAIT) as message:
            if message is None:
                return
            self._busy = True
            envelope = decoded(message.body)
            if envelope.source == self._emitter.host.wiring_class.__app__:
                envelope = None
            else:
                await accept(self._emitter, envelope)
        self._busy = False
        if envelope is not None:
            self._later(envelope)
