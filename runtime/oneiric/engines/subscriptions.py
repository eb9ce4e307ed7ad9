"""Who wants which event: the subscriptions of a wiring, as one view of it has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from oneiric.envelope import Envelope, written
from oneiric.flows.conditions import holds
from oneiric.flows.model import ONCE, Condition, Retry
from oneiric.wiring import Wiring

Table: TypeAlias = Mapping[str, Mapping[str, Any]]
"""By name what the settings state, and under `tenants` what differs for which."""


class Subscription(NamedTuple):
    """What is delivered to a handler, or starts a workflow, and how.

    `call` is the handler's key or the workflow's; `starts` says that it is a workflow's. Seconds, everywhere.
    """

    name: str
    topics: tuple[str, ...]
    call: str
    starts: bool = False
    delivery: Literal["direct", "durable"] = "direct"
    where: Sequence[Condition] = ()
    retry: Retry = ONCE
    timeout: float | None = None
    at_once: int | None = None
    priority: int = 0
    fanout: Literal["broadcast", "exclusive", "processes"] = "broadcast"
    queue: str | None = None

    @property
    def durable(self) -> bool:
        """Whether a run is made of each delivery."""
        return self.delivery == "durable"

    @property
    def everywhere(self) -> bool:
        """Whether every process of the application is told."""
        return self.fanout == "processes"


def table_of(wiring: type[Wiring]) -> Table:
    """The subscriptions that a wiring names."""
    for domain in wiring.__domains__.values():
        if domain.__subscriptions__:
            return domain.__subscriptions__
    return {}


def by_topic(table: Table, tenant: str | None) -> dict[str, tuple[Subscription, ...]]:
    """The subscriptions to each topic as a tenant has them, the highest priority first, then by name."""
    ordered = sorted((_read(name, stated, tenant) for name, stated in table.items()), key=_rank)
    topics: dict[str, list[Subscription]] = {}
    for each in ordered:
        for topic in each.topics:
            topics.setdefault(topic, []).append(each)
    return {topic: tuple(found) for topic, found in topics.items()}


def _read(name: str, stated: Mapping[str, Any], tenant: str | None) -> Subscription:
    fields = dict(stated)
    tenants: Table = fields.pop("tenants", {})
    if tenant is not None:
        fields.update(tenants.get(tenant, {}))
    starts = fields.get("starts")
    known = {field: fields[field] for field in Subscription._fields if fields.get(field) is not None}
    known.update(name=name, topics=tuple(fields["topics"]), starts=starts is not None)
    known["call"] = starts or fields.get("handler") or f"event:{name}"
    return Subscription(**known)


def _rank(subscription: Subscription) -> tuple[int, str]:
    return -subscription.priority, subscription.name


def wanting(subscriptions: Iterable[Subscription], envelope: Envelope) -> list[Subscription]:
    """Those whose conditions hold of an event, in order; below the first exclusive one, of whatever has less priority,
    nobody gets it, and of exclusive ones the first alone."""
    found: list[Subscription] = []
    ceiling: int | None = None
    attributes: Mapping[str, Any] | None = None
    for each in subscriptions:
        if ceiling is not None and (each.priority < ceiling or each.fanout == "exclusive"):
            continue
        if each.where and attributes is None:
            attributes = written(envelope)
        if holds(each.where, envelope.data, attributes):
            found.append(each)
            if each.fanout == "exclusive":
                ceiling = each.priority
    return found
