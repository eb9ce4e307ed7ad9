"""Events, from `emit` to handlers, runs, the outbox and other applications."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, cast
from uuid import uuid4
from weakref import WeakKeyDictionary

from oneiric.adapters.database import Transaction
from oneiric.adapters.queue import Queue
from oneiric.boundary import PlainError, plain, read_as
from oneiric.declared import Topic, topics_of, work_of
from oneiric.engines.delivery import Places, deliver
from oneiric.engines.handling import handled, told
from oneiric.engines.outbox import Outbox
from oneiric.engines.subscriptions import Subscription, by_topic, table_of, wanting
from oneiric.envelope import Delivered, Emitted, Envelope, EventError, checked, encoded, written
from oneiric.flows.model import Flow, Submission
from oneiric.flows.paths import MISSING, found, parsed
from oneiric.host import Host, Scope
from oneiric.references import load
from oneiric.tracing import span
from oneiric.wiring import Wiring

_emitters: WeakKeyDictionary[Host, Emitter] = WeakKeyDictionary()
ORDERED = "ordered"
"""The queue of runs that keep an order, where nothing names another."""
_log = logging.getLogger("oneiric.events")


def emitter_of(host: Host) -> Emitter:
    """What emits the events of an application."""
    emitter = _emitters.get(host)
    if emitter is None:
        emitter = _emitters[host] = Emitter(host)
    return emitter


class Emitter:
    """Emits the events of one application: by its wiring as it is at that moment."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.places = Places()
        self.nudge: Callable[[Outbox], None] = lambda outbox: None
        """Called when something was written to an outbox."""
        self._process = uuid4().hex
        self._wiring: type[Wiring] | None = None
        self._topics: dict[str | None, Mapping[str, Sequence[Subscription]]] = {}
        self._outboxes: dict[str | None, Outbox] = {}

    async def emit(
        self,
        scope: Scope,
        topic: Topic,
        event: object,
        *,
        transaction: Transaction | None = None,
        key: str | None = None,
        id: str | None = None,
        source: str | None = None,
        subject: str | None = None,
        time: str | None = None,
        extensions: Mapping[str, str | int | bool] | None = None,
    ) -> Emitted:
        """Deliver an event to whoever subscribed in that view, or with a `transaction` leave it in the outbox.

        Raises `EventError` where it is not of the topic's type, `EnvelopeError`, what the database raises. What
        handlers raise is in the answer, and so is a delivery that could not be submitted.
        """
        envelope = checked(
            Envelope(
                id=id or uuid4().hex,
                source=source or self.host.wiring_class.__app__,
                type=topic.name,
                time=_instant(time),
                subject=subject,
                tenant=scope.tenant,
                extensions=dict(extensions or {}),
                data=_data(topic, event),
            )
        )
        order = ordering(topic, envelope, key)
        wanted = self.wanted(envelope)
        with span("emit", domain="event", topic=topic.name, tenant=envelope.tenant, **told(envelope)):
            if transaction is not None:
                outbox = self.outbox(scope)
                if outbox is None:
                    raise EventError(
                        f"{topic.name} cannot be emitted in a transaction: the settings name no outbox; "
                        "say `outbox: adapter:database` in settings/events.yml"
                    )
                await outbox.put(transaction, envelope, order, direct=True)
                self.nudge(outbox)
                return _emitted(envelope, [_stored(each, envelope) for each in wanted])
            answers = await self._durable(scope, envelope, wanted, order)
            answers += await self.exported(envelope)
            answers += await self.direct(envelope, wanted)
        return _emitted(envelope, _as_ranked(answers, wanted))

    def wanted(self, envelope: Envelope) -> list[Subscription]:
        """Who gets an event, by the view of its tenant, the highest priority first."""
        self._refresh()
        topics = self._topics.get(envelope.tenant)
        if topics is None:
            topics = self._topics[envelope.tenant] = by_topic(table_of(self.host.wiring_class), envelope.tenant)
        return wanting(topics.get(envelope.type, ()), envelope)

    def _refresh(self) -> None:
        if self._wiring is not self.host.wiring_class:
            self._wiring = self.host.wiring_class
            self._topics.clear()
            self._outboxes.clear()

    def outbox(self, scope: Scope) -> Outbox | None:
        """The outbox of a view, which is the base's unless the tenant has a database of its own; None without one."""
        self._refresh()
        key: str | None = self.host.wiring_class.__outbox__
        if key is None:
            return None
        owner = scope.slot(key).tenant
        outbox = self._outboxes.get(owner)
        if outbox is None:
            outbox = self._outboxes[owner] = Outbox(scope, key)
        return outbox

    async def direct(self, envelope: Envelope, wanted: Sequence[Subscription]) -> list[Delivered]:
        """Call the handlers of an event that are called directly, and tell other processes of it where it is theirs
        too."""
        told = await self._broadcast(envelope, wanted)
        return [*told, *await self.called(envelope, wanted)]

    async def called(self, envelope: Envelope, wanted: Sequence[Subscription]) -> list[Delivered]:
        """Call the handlers of this process alone."""
        subscribed = [each for each in wanted if not each.durable]
        if not subscribed:
            return []
        scope = view_of(self.host, envelope.tenant)

        async def handle(subscription: Subscription) -> Any:
            return await handled(scope, subscription.call, envelope)

        event = f"{envelope.source}/{envelope.id}"
        return await deliver(subscribed, handle, self.places, event=event, tenant=envelope.tenant)

    async def _broadcast(self, envelope: Envelope, wanted: Sequence[Subscription]) -> list[Delivered]:
        key: str | None = self.host.wiring_class.__broadcast__
        if key is None or not any(each.everywhere for each in wanted):
            return []
        return [await _answer(key, self._told(key, envelope))]

    async def _told(self, key: str, envelope: Envelope) -> Delivered:
        slot = self.host.base.slot(key)
        headers = {"app": self.host.wiring_class.__app__, "process": self._process}
        async with slot.lease() as queue:
            fan: Any = queue if slot.held is None else slot.held.instance  # whatever layers are around it
            await fan.broadcast(encoded(envelope), headers=headers)
        return Delivered(key, "submitted")

    def is_of_others(self, headers: Mapping[str, str]) -> bool:
        """Whether a message that was broadcast is of this application, and of another process."""
        return headers.get("app") == self.host.wiring_class.__app__ and headers.get("process") != self._process

    async def _durable(
        self, scope: Scope, envelope: Envelope, wanted: Sequence[Subscription], order: str | None
    ) -> list[Delivered]:
        durable = [each for each in wanted if each.durable]
        if durable and order is not None and (outbox := self.outbox(scope)) is not None:
            await outbox.put(None, envelope, order, direct=False)  # behind those of transactions, not past them
            self.nudge(outbox)
            return [_stored(each, envelope) for each in durable]
        return [await _answer(each.name, self.submit(each, envelope, order)) for each in durable]

    async def submit(self, subscription: Subscription, envelope: Envelope, order: str | None) -> Delivered:
        """Make a run of a delivery. Raises what the engine raises."""
        work = work_of(self.host.base)
        starts = subscription.starts
        flow = work.flow_of(subscription.call, envelope.tenant) if starts else delivering(subscription)
        run = run_of(subscription, envelope)
        submission = Submission(
            run,
            flow,
            envelope.data if starts else written(envelope),
            tenant=envelope.tenant,
            queue=subscription.queue or flow.get("queue") or (None if order is None else ORDERED),
            generation=self.host.generation if flow.get("steps") == "pinned" else None,
            order=None if order is None else f"{subscription.name}/{order}",
        )
        new = await work.submit(submission)
        return Delivered(subscription.name, "submitted" if new else "known", run=run)

    async def exported(self, envelope: Envelope) -> list[Delivered]:
        """Publish an event to the queues that other applications read."""
        return [await _answer(key, self._publish(key, envelope)) for key in self.exports(envelope.type)]

    async def export(self, envelope: Envelope) -> None:
        """The same; raises what a queue raises."""
        for key in self.exports(envelope.type):
            await self._publish(key, envelope)

    def exports(self, topic: str) -> list[str]:
        """The keys of the queues that events of a topic are published to."""
        stated: Mapping[str, str] = self.host.wiring_class.__exports__
        return list(dict.fromkeys(key for pattern, key in stated.items() if fnmatchcase(topic, pattern)))

    async def _publish(self, key: str, envelope: Envelope) -> Delivered:
        queue: Queue = self.host.base.place(key).live
        headers = {"content-type": "application/cloudevents+json"}
        return Delivered(key, "submitted", run=await queue.publish(encoded(envelope), headers=headers))


def view_of(host: Host, tenant: str | None) -> Scope:
    """A tenant's view, the base's for None. Raises `UnknownTenant`."""
    if tenant is None:
        return host.base
    from oneiric.tenants.scope import scope_of

    return cast("Scope", scope_of(host, tenant))


def run_of(subscription: Subscription, envelope: Envelope) -> str:
    """The id of the run of a delivery: the same whenever the same event is delivered."""
    event = envelope.id.replace("%", "%25").replace("/", "%2F")
    of_tenant = "" if envelope.tenant is None else f"@{envelope.tenant}"
    return f"{envelope.source}/{event}/{subscription.name}{of_tenant}"


def _stored(subscription: Subscription, envelope: Envelope) -> Delivered:
    """The answer of a delivery that is to come; the run of a durable one has its id already."""
    return Delivered(subscription.name, "stored", run=run_of(subscription, envelope) if subscription.durable else None)


def delivering(subscription: Subscription) -> Flow:
    """A delivery as a flow: one call of the handler."""
    flow: Flow = {
        "key": f"event:{subscription.name}",
        "nodes": {
            "handle": {
                "call": subscription.call,
                "after": [],
                "with": {"event": "${input.data}", "envelope": "${input}"},
                "retry": subscription.retry,
            }
        },
        "result": "${handle}",
    }
    if subscription.timeout is not None:
        flow["nodes"]["handle"]["timeout"] = subscription.timeout
    return flow


def ordering(topic: Topic, envelope: Envelope, key: str | None = None) -> str | None:
    """What events of a topic are in order by: `key`, else what the topic's field has, as JSON; None where it is not
    there."""
    if key is not None:
        return json.dumps(key)
    if topic.order_by is None:
        return None
    value = found(envelope.data, parsed(topic.order_by))
    return None if value is MISSING or value is None else json.dumps(value, sort_keys=True)


def topic_of(scope: Scope, name: str) -> Topic:
    """A topic by name; one that nobody declared is any JSON object."""
    return topics_of(scope).get(name) or Topic(name, None, None)


@lru_cache(1024)
def _type(name: str) -> Any:
    return load(name)


def _data(topic: Topic, event: object) -> Any:
    """The event as JSON, of the topic's type."""
    try:
        data: Any = plain(event)
        if topic.type is not None:
            read_as(data, _type(topic.type))
    except PlainError as error:
        raise EventError(f"the event is not one of {topic.name}: {error}") from error
    if topic.type is None and not _is_object(data):
        raise EventError(f"the event is not one of {topic.name}: a JSON object is expected")
    return data


def _is_object(data: object) -> bool:
    return isinstance(data, dict)


def _instant(time: str | None) -> datetime:
    if time is None:
        return datetime.now(UTC)
    try:
        return datetime.fromisoformat(time)
    except ValueError:
        raise EventError(f"{time!r} is not an instant: RFC 3339 is expected, such as 2027-01-01T00:00:00Z") from None


def _emitted(envelope: Envelope, answers: Sequence[Delivered]) -> Emitted:
    assert envelope.time is not None
    return Emitted(envelope.id, envelope.source, envelope.type, envelope.time, envelope.tenant, tuple(answers))


def _as_ranked(answers: Sequence[Delivered], wanted: Sequence[Subscription]) -> list[Delivered]:
    rank = {each.name: index for index, each in enumerate(wanted)}
    return sorted(answers, key=lambda each: rank.get(each.handler, len(rank)))


async def _answer(name: str, work: Awaitable[Delivered]) -> Delivered:
    """What it comes to: failed where it raises."""
    try:
        return await work
    except Exception as error:
        _log.warning("%s: the event could not be handed over: %s: %s", name, type(error).__name__, error)
        return Delivered(name, "failed", error=f"{type(error).__name__}: {error}", attempts=1)
