"""A bounded buffer of records and the thread that sends them: what all monitoring providers have."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Outbox(Generic[T]):
    """Sends records in batches of `batch`, as soon as there are so many or `interval` seconds passed.

    `send` delivers a batch within a time limit of its own and gives how many of it were lost; `tick` is called before
    each turn. At most `size` records wait; what comes then is dropped. `cut` ends a `send` that is under way, as far
    as that can be done.
    """

    def __init__(
        self,
        name: str,
        send: Callable[[Sequence[T]], int],
        *,
        tick: Callable[[], None],
        cut: Callable[[], None],
        size: int,
        batch: int,
        interval: float,
    ) -> None:
        self.dropped = 0
        self._send = send
        self._tick = tick
        self._cut = cut
        self._size = size
        self._batch = min(batch, size)
        self._interval = interval
        self._waiting: deque[T] = deque()
        self._changed = threading.Condition()
        self._asked: list[Callable[[bool], None]] = []
        self._closing = self._abandoned = self._over = False
        self._thread = threading.Thread(target=self._work, name=f"oneiric monitoring {name}", daemon=True)
        self._thread.start()

    def put(self, record: T) -> None:
        """Take a record, or drop and count it; never waits."""
        with self._changed:
            if self._abandoned or len(self._waiting) >= self._size:
                self.dropped += 1
                return
            self._waiting.append(record)
            if len(self._waiting) == self._batch:
                self._changed.notify()

    def lost(self, records: int) -> None:
        """Count records that were dropped elsewhere."""
        with self._changed:
            self.dropped += records

    async def flush(self, seconds: float) -> bool:
        """Send all that waits; whether that was done in time and nothing was lost meanwhile."""
        before = self.dropped
        return await self._asks(seconds) and self.dropped == before

    async def close(self, seconds: float) -> None:
        """Send what waits for so many seconds, drop the rest, and end the thread.

        A delivery under way is waited for once more so long: it has its own limit. A cancelled close drops at once.
        """
        self._closing = True
        try:
            await self._asks(seconds)
        finally:
            with self._changed:
                self._abandoned = True
                self.dropped += len(self._waiting)
                self._waiting.clear()
                self._changed.notify()
            self._cut()
        await self._asks(seconds)
        self._thread.join(0.1)

    async def _asks(self, seconds: float) -> bool:
        """Have the thread take a turn; whether it was over in time and went well."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()

        def answer(well: bool) -> None:
            if not done.done():
                done.set_result(well)

        def tell(well: bool) -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(answer, well)

        with self._changed:
            if self._over:
                return True
            self._asked.append(tell)
            self._changed.notify()
        try:
            async with asyncio.timeout(seconds):
                return await done
        except TimeoutError:
            return False

    def _work(self) -> None:
        due = monotonic() + self._interval
        while True:
            with self._changed:
                if not (self._asked or self._closing or len(self._waiting) >= self._batch):
                    self._changed.wait(max(0.0, due - monotonic()))
                asked, self._asked = self._asked, []
                last = self._closing
            well = True
            if asked or last or monotonic() >= due:
                well = self._ticked()
                due = monotonic() + self._interval
            well = self._sent() and well
            if last:
                with self._changed:
                    self._over = self._abandoned = True
                    asked += self._asked
            for tell in asked:
                tell(well)
            if last:
                return

    def _ticked(self) -> bool:
        try:
            if not self._abandoned:
                self._tick()
        except Exception:  # whatever an SDK raises: the thread goes on, and who asked is told
            return False
        return True

    def _sent(self) -> bool:
        """Send what waits now; whether nothing was lost."""
        well = True
        todo = len(self._waiting)
        while todo > 0:
            with self._changed:
                batch = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
            if not batch:
                break
            todo -= len(batch)
            try:
                lost = self._send(batch)
            except Exception:  # as above, and the batch counts as lost
                lost = len(batch)
            if lost:
                self.lost(lost)
                well = False
        return well
