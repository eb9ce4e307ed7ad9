"""Queue provider `memory`: messages in this process, gone when it ends."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from types import MappingProxyType

from oneiric import component
from oneiric.adapters.queue import Listener, Message, QueueClosed, QueueMisconfigured, check_message, check_wait
from oneiric.adapters.queue._heard import Heard


@component(
    "adapter",
    "queue",
    provider="memory",
    priority=0,
    stack_level=-10,
    capabilities=("queue", "dead-letters", "fanout"),
    port="oneiric.adapters.queue:Queue",
)
class MemoryQueue:
    """Keeps messages in memory.

    `ack_wait`: seconds a consumer has for a message, before it goes to another.
    `max_deliveries`: how many times a message is tried before it is a dead letter.
    """

    def __init__(self, *, ack_wait: float = 30.0, max_deliveries: int = 5) -> None:
        if not ack_wait > 0:
            raise QueueMisconfigured(f"{ack_wait!r} is not above 0", provider="memory", setting="ack_wait")
        if max_deliveries < 1:
            raise QueueMisconfigured(f"{max_deliveries} is below 1", provider="memory", setting="max_deliveries")
        self._ack_wait = ack_wait
        self._max_deliveries = max_deliveries
        self._alive, self._dead = _Line(), _Line()
        self._ids = count(1)
        self._listeners: set[Heard] = set()
        self._closed = False

    async def health(self) -> bool:
        return not self._closed

    async def aclose(self) -> None:
        self._closed = True
        self._alive.clear()
        self._dead.clear()
        for listener in self._listeners:
            listener.end(QueueClosed("the queue was closed meanwhile", provider="memory"))

    async def publish(self, body: bytes, *, headers: Mapping[str, str] | None = None) -> str:
        self._refuse_when_closed()
        check_message(body, headers or {})
        message = Message(str(next(self._ids)), body, MappingProxyType(dict(headers or {})), 1)
        self._alive.put(message)
        return message.id

    @asynccontextmanager
    async def consume(self, *, wait: float = 10.0, dead: bool = False) -> AsyncGenerator[Message | None, None]:
        self._refuse_when_closed()
        check_wait(wait)
        line = self._dead if dead else self._alive
        if not await line.ready(wait):
            self._refuse_when_closed()
            yield None
            return
        message = line.waiting.popleft()
        line.out[message] = asyncio.get_running_loop().call_later(self._ack_wait, self._give_back, line, message)
        try:
            yield message
        except BaseException:
            self._give_back(line, message)
            raise
        line.settle(message)

    async def broadcast(self, body: bytes, *, headers: Mapping[str, str] | None = None) -> None:
        self._refuse_when_closed()
        check_message(body, headers or {})
        message = Message("", body, MappingProxyType(dict(headers or {})), 1)
        for listener in self._listeners:
            listener.put(message)

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator[Listener, None]:
        self._refuse_when_closed()
        heard = Heard()
        self._listeners.add(heard)
        try:
            yield heard
        finally:
            self._listeners.discard(heard)

    def _give_back(self, line: _Line, message: Message) -> None:
        if not line.settle(message):
            return
        if line is self._dead or message.attempt < self._max_deliveries:
            line.put(replace(message, attempt=message.attempt + 1), first=True)
        else:
            self._dead.put(replace(message, attempt=1))

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise QueueClosed("the queue is closed", provider="memory")


class _Line:
    """Messages that wait for a consumer, those that are with one, and consumers that wait for a message."""

    def __init__(self) -> None:
        self.waiting: deque[Message] = deque()
        self.out: dict[Message, asyncio.TimerHandle] = {}  # and the timer that gives it back
        self._consumers: dict[asyncio.Future[None], None] = {}  # first come first
        self._closed = False

    def put(self, message: Message, *, first: bool = False) -> None:
        if first:
            self.waiting.appendleft(message)
        else:
            self.waiting.append(message)
        self._wake()

    async def ready(self, wait: float) -> bool:
        """Whether a message waits, now or within so many seconds; nothing is awaited after it was seen."""
        loop = asyncio.get_running_loop()
        end = loop.time() + wait
        while not self.waiting and not self._closed and (left := end - loop.time()) > 0:
            woken: asyncio.Future[None] = loop.create_future()
            self._consumers[woken] = None
            try:
                await asyncio.wait((woken,), timeout=left)
            except asyncio.CancelledError:
                if woken.done() and self.waiting:
                    self._wake()  # another takes what this one was woken for
                raise
            finally:
                self._consumers.pop(woken, None)
        return bool(self.waiting)

    def settle(self, message: Message) -> bool:
        """A consumer is done with a message; whether it still had it."""
        again = self.out.pop(message, None)
        if again is not None:
            again.cancel()
        return again is not None

    def clear(self) -> None:
        """Forget all, and let nobody wait any more."""
        self._closed = True
        for message in list(self.out):
            self.settle(message)
        self.waiting.clear()
        while self._consumers:
            self._wake()

    def _wake(self) -> None:
        if self._consumers:
            woken = next(iter(self._consumers))
            del self._consumers[woken]
            woken.set_result(None)
