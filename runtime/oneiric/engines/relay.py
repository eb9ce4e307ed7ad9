"""The relay: takes events out of an outbox once their transactions are committed, and delivers them.

Every process may relay the same outbox. Each begins with the oldest row, and what it does of a row before removing it
can be done twice: a run is submitted under the same id, an export is told apart by its event's id. So nothing is lost
with a process, no process waits for one that hangs, and events of one order are submitted in that order. Handlers that
are called directly are called by the process that removed the row, if it lives.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from oneiric.engines.emitting import Emitter, ordering, topic_of, view_of
from oneiric.engines.outbox import Kept, Outbox
from oneiric.envelope import Envelope, EnvelopeError
from oneiric.errors import Closed, Misconfigured, MissingExtra, OneiricError, Refused, RuntimeClosed, Unavailable
from oneiric.host import Host
from oneiric.lifecycle.steps import in_thread

_BATCH = 100
_SOON, _IDLE, _IDLE_OF_TENANTS, _LONGEST = 0.01, 1.0, 15.0, 30.0
"""Seconds until the next look: after something was written here, where nothing is, and at most where it fails."""
_STALE = 30.0
"""Seconds after which rows that were read are read again: whoever slept so long may find them done and forgotten."""
_TRIES = 5
"""How often an event is tried that fails by itself, before it is a dead letter."""
_HOLDING = (Closed, Unavailable, Refused, Misconfigured, MissingExtra, RuntimeClosed, OSError)
"""What concerns every event: the relay waits, and goes on where it was."""
_log = logging.getLogger("oneiric.events")


class Relay:
    """The relay of one outbox in this process. `later` takes on the direct deliveries, which it does not wait for."""

    def __init__(self, emitter: Emitter, outbox: Outbox, later: Callable[[Envelope], None]) -> None:
        self.outbox = outbox
        self._emitter = emitter
        self._later = later
        self._nudged = asyncio.Event()
        self._stopping = False
        self._tries: dict[int, int] = {}

    def nudge(self) -> None:
        """Something was written here, which may be committed soon."""
        self._nudged.set()

    def stop(self) -> None:
        """End after the rows that are under way."""
        self._stopping = True
        self._nudged.set()

    async def run(self) -> None:
        """Relay until it is stopped."""
        idle = _IDLE if self.outbox.tenant is None else _IDLE_OF_TENANTS
        wait, failing = _SOON, 0.0
        while not self._stopping:
            try:
                busy = await self.relay()
            except Exception as error:
                if not failing:
                    _log.warning("the outbox of %s waits: %s: %s", self.outbox.key, type(error).__name__, error)
                failing = min(max(failing * 2, 0.1), _LONGEST)
                await self._pause(failing)
                continue
            if failing:
                _log.info("the outbox of %s is relayed again", self.outbox.key)
            failing = 0.0
            wait = _SOON if busy or await self._pause(wait) else min(wait * 2, idle)

    async def _pause(self, seconds: float) -> bool:
        """Wait; whether something was written meanwhile."""
        if self._stopping:
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._nudged.wait()
        except TimeoutError:
            return False
        self._nudged.clear()
        await asyncio.sleep(_SOON)  # the transaction that wrote is not committed yet
        return True

    async def relay(self) -> bool:
        """Relay what is there now; whether there was any. Raises where nothing can be delivered for now."""
        rows = await self.outbox.waiting(_BATCH)
        read_at = time.monotonic()
        done: list[int] = []
        try:
            for row in rows:
                if self._stopping or time.monotonic() - read_at > _STALE:
                    break
                if await self._submitted(row):
                    self._tries.pop(row.id, None)
                    done.append(row.id)
                    if row.direct and await self.outbox.take([done.pop()]):
                        self._later(row.envelope)
        finally:
            await self.outbox.take(done)
        return bool(rows)

    async def _submitted(self, row: Kept) -> bool:
        """Whether its runs are submitted and it is exported. One that fails by itself holds the others up while it is
        tried, then it is a dead letter."""
        try:
            envelope = row.envelope
            for subscription in self._emitter.wanted(envelope):
                if subscription.durable:
                    await self._emitter.submit(subscription, envelope, row.ordering)
            if row.direct:
                await self._emitter.export(envelope)
        except _HOLDING:
            raise
        except Exception as error:
            tries = self._tries[row.id] = self._tries.get(row.id, 0) + 1
            if tries < _TRIES and not isinstance(error, EnvelopeError):
                raise
            del self._tries[row.id]
            await self.outbox.bury(row.id, _why(error))
            _log.error("event %d of the outbox of %s is a dead letter: %s", row.id, self.outbox.key, _why(error))
            return False
        return True


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if isinstance(error, OneiricError) else type(error).__name__


async def accept(emitter: Emitter, envelope: Envelope) -> None:
    """Submit the durable deliveries of an event that another application emitted. Raises what the engine raises."""
    topic = topic_of(emitter.host.base, envelope.type)
    order = ordering(topic, envelope)
    for subscription in emitter.wanted(envelope):
        if subscription.durable:
            await emitter.submit(subscription, envelope, order)


async def owners(emitter: Emitter) -> list[Outbox]:
    """The outboxes of an application: the base's, and those of tenants with a database of their own. Raises
    `LoadError`."""
    host = emitter.host
    key = host.wiring_class.__outbox__
    if key is None:
        return []
    own: list[str] = (await in_thread(_tenants_with, host, key)).get() if host.lines else []
    found = [emitter.outbox(view_of(host, tenant)) for tenant in (None, *own)]
    return [each for each in found if each is not None]


def _tenants_with(host: Host, key: str) -> list[str]:
    """The tenants that have a line of their own for a key, of which there may be very many to look through."""
    from oneiric.tenants.bindings import start_of
    from oneiric.tenants.scope import tenants_of

    lines = host.lines
    return [] if lines is None else [each for each in tenants_of(host) if lines.find(start_of(each, key)) is not None]
