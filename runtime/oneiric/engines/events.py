"""The engine of the domain event: relays outboxes and imports events while the application runs."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

from oneiric.adapters.database import Transaction
from oneiric.declared import Topic, work_of
from oneiric.engines.emitting import Emitter, emitter_of
from oneiric.engines.incoming import Incoming
from oneiric.engines.listening import Listening
from oneiric.engines.outbox import Outbox
from oneiric.engines.relay import Relay, owners
from oneiric.engines.subscriptions import table_of
from oneiric.envelope import Emitted, Envelope
from oneiric.host import Host, Scope

_log = logging.getLogger("oneiric.events")


async def emit(
    scope: Scope, topic: Topic, event: object, *, transaction: Transaction | None = None, **envelope: Any
) -> Emitted:
    """Emit an event in a view of an application: see `declared.TopicSlot.emit`."""
    return await emitter_of(scope.host).emit(scope, topic, event, transaction=transaction, **envelope)


class Events:
    """What goes on beside the calls of `emit`, in one process."""

    def __init__(self, host: Host, attribute: str) -> None:
        self._host = host
        self._emitter: Emitter = emitter_of(host)
        self._relays: dict[Outbox, tuple[Relay, asyncio.Task[None]]] = {}
        self._incoming: dict[str, Incoming] = {}
        self._listening: Listening | None = None
        self._direct: set[asyncio.Task[None]] = set()
        self._works = False

    async def start(self) -> None:
        """Begin, with what was left over when the last process ended."""
        self._emitter.nudge = self._nudge
        await self._follow()

    async def settle(self, plan: Any) -> None:
        """Go over to what another wiring says."""
        await self._follow()

    async def stop(self) -> None:
        """Take nothing more in, and let what is under way end."""
        self._emitter.nudge = lambda outbox: None
        try:
            await self._hear(None)
            await self._end(list(self._relays), list(self._incoming))
            while self._direct:
                await asyncio.wait(self._direct)
        finally:
            for _, task in self._relays.values():
                task.cancel()
            for direct in self._direct:
                direct.cancel()
            if self._works:
                await work_of(self._host.base).end(self)

    async def _follow(self) -> None:
        await self._work()
        told = any(each.get("fanout") == "processes" for each in table_of(self._host.wiring_class).values())
        await self._hear(self._host.wiring_class.__broadcast__ if told else None)
        outboxes = await owners(self._emitter)
        imports: tuple[str, ...] = self._host.wiring_class.__imports__
        await self._end(
            [each for each in self._relays if each not in outboxes],
            [each for each in self._incoming if each not in imports],
        )
        for outbox in outboxes:
            if outbox not in self._relays:
                relay = Relay(self._emitter, outbox, self._later)
                self._relays[outbox] = relay, asyncio.ensure_future(relay.run())
        for key in imports:
            if key not in self._incoming:
                self._incoming[key] = Incoming(self._emitter, key, self._later)
                self._incoming[key].start()

    async def _hear(self, key: str | None) -> None:
        """Listen to the queue of that key, and to no other."""
        if self._listening is not None and self._listening.key != key:
            listening, self._listening = self._listening, None
            await listening.stop()
        if key is not None and self._listening is None:
            self._listening = Listening(self._emitter, key, partial(self._later, heard=True))
            self._listening.start()

    async def _work(self) -> None:
        """Have runs taken up in this process where deliveries are durable."""
        durable = any(each.get("delivery") == "durable" for each in table_of(self._host.wiring_class).values())
        if durable and not self._works:
            self._works = True
            await work_of(self._host.base).begin(self)
        elif self._works and not durable:
            self._works = False
            await work_of(self._host.base).end(self)

    async def _end(self, outboxes: list[Outbox], imports: list[str]) -> None:
        relays = [self._relays[each] for each in outboxes]
        for relay, _ in relays:
            relay.stop()
        ending = [task for _, task in relays]
        if ending:
            await asyncio.wait(ending)
        for outbox in outboxes:
            del self._relays[outbox]
        for key in imports:
            await self._incoming.pop(key).stop()

    def _nudge(self, outbox: Outbox) -> None:
        if outbox in self._relays:
            self._relays[outbox][0].nudge()

    def _later(self, envelope: Envelope, *, heard: bool = False) -> None:
        """Call the handlers of a committed or imported event; those that every process has of one that was heard."""
        task = asyncio.ensure_future(self._deliver(envelope, heard))
        self._direct.add(task)
        task.add_done_callback(self._direct.discard)

    async def _deliver(self, envelope: Envelope, heard: bool) -> None:
        emitter = self._emitter
        try:
            wanted = emitter.wanted(envelope)
            if heard:
                answers = await emitter.called(envelope, [each for each in wanted if each.everywhere])
            else:
                answers = await emitter.direct(envelope, wanted)
        except Exception as error:
            _log.error("event %s of %s: %s: %s", envelope.id, envelope.source, type(error).__name__, error)
            return
        for each in answers:
            if not each.success:
                _log.error("event %s of %s: %s failed: %s", envelope.id, envelope.source, each.handler, each.error)
