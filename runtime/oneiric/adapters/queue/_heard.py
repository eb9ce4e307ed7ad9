"""What a listener of a queue has heard, and not taken yet."""

from __future__ import annotations

import asyncio
from collections import deque

from oneiric.adapters.queue import Message, QueueError, check_wait

MOST = 10_000
"""Messages that wait for their listener; of more, the oldest are dropped."""


class Heard:
    """The messages of one listener."""

    def __init__(self) -> None:
        self._messages: deque[Message] = deque(maxlen=MOST)
        self._came = asyncio.Event()
        self._over: QueueError | None = None

    def put(self, message: Message) -> None:
        """A message was broadcast."""
        self._messages.append(message)
        self._came.set()

    def end(self, error: QueueError) -> None:
        """No more will come."""
        self._over = error
        self._came.set()

    async def next(self, *, wait: float = 10.0) -> Message | None:
        check_wait(wait)
        if not self._messages and self._over is None:
            self._came.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._came.wait()
            except TimeoutError:
                return None
        if self._messages:
            return self._messages.popleft()
        if self._over is not None:
            raise self._over
        return None
