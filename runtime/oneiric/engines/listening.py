"""Events that every process of an application is told of: heard from the queue that broadcasts them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from oneiric.adapters.queue import Message
from oneiric.engines.emitting import Emitter
from oneiric.envelope import Envelope, EnvelopeError, decoded

_SLICE = 1.0
"""Seconds until it is seen that another instance serves the queue, or that its key is paused."""
_LONGEST = 30.0
_log = logging.getLogger("oneiric.events")


class Listening:
    """What listens in this process. `later` takes on the deliveries. What was broadcast while nobody listened here, or
    the queue was away, is not heard."""

    def __init__(self, emitter: Emitter, key: str, later: Callable[[Envelope], None]) -> None:
        self.key = key
        self._emitter = emitter
        self._later = later
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Hear no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _run(self) -> None:
        failing = 0.0
        while True:
            if self._is_paused():
                await asyncio.sleep(_SLICE)
                continue
            try:
                await self._listen()
                failing = 0.0
            except Exception as error:
                if not failing:
                    _log.warning("%s: nothing is heard: %s: %s", self.key, type(error).__name__, error)
                failing = min(max(failing * 2, 0.1), _LONGEST)
                await asyncio.sleep(failing)

    def _is_paused(self) -> bool:
        return self.key in self._emitter.host.paused

    async def _listen(self) -> None:
        """Listen as long as one instance serves the queue; one that was replaced is let go at once."""
        slot = self._emitter.host.base.slot(self.key)
        async with slot.lease() as queue:
            held: Any = slot.held
            fan: Any = queue if held is None else held.instance  # whatever layers are around it
            async with fan.listen() as listener:
                while slot.held is held and not self._is_paused():
                    message = await listener.next(wait=_SLICE)
                    if message is not None:
                        self._heard(message)

    def _heard(self, message: Message) -> None:
        if not self._emitter.is_of_others(message.headers):
            return
        try:
            self._later(decoded(message.body))
        except EnvelopeError as error:
            _log.warning("%s: what was heard is not an event: %s", self.key, error)
