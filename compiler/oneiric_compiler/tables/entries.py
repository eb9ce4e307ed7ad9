"""What settings declare besides components: workflows and their queues, topics and subscriptions, schedules.

Each kind stands in the section of its domain, entry by entry under its name; `SINGLE` are stated once, not by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

KINDS: Mapping[str, str] = {
    "workflows": "workflow",
    "queues": "workflow",
    "topics": "event",
    "subscriptions": "event",
    "schedules": "task",
}
"""The domain in whose section each kind stands."""
SINGLE: Mapping[str, str] = {"outbox": "event", "broadcast": "event", "export": "event", "import": "event"}
OF_ONE_DOMAIN = frozenset((*KINDS, *SINGLE, "disable"))
"""What only sections of some domains have."""
OF_TENANTS = "subscriptions"
"""The kind that tenants may have otherwise than the base."""
OF_TENANTS_NODES = frozenset(("with", "retry", "timeout", "when"))
"""What tenants may have otherwise of the nodes of a workflow."""
PARTS = "nodes"
"""The field of an entry whose parts are merged one by one."""

_NAME: Schema = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": 128}
_NAMED: Schema = {
    "pattern": _NAME["pattern"],
    "maxLength": 128,
    "description": "Letters, digits, `.`, `_` and `-`, the first a letter or digit.",
}
_DURATION: Schema = {"type": ["string", "number"], "description": "A duration, such as `200ms`, `30s` or `1h30m`."}
_INSTANT: Schema = {"type": "string", "description": "An instant, such as `2027-01-01T00:00:00Z`."}
_CALL: Schema = {
    "description": "What is called: `DOMAIN:KEY`, or `DOMAIN:KEY#method`.",
    "type": "string",
    "pattern": "^[a-z_][a-z0-9_]*:[A-Za-z0-9][A-Za-z0-9._-]*(#[A-Za-z_][A-Za-z0-9_]*)?$",
    "maxLength": 255,
}
_KEY: Schema = {
    "description": "A key, such as `adapter:database`.",
    "type": "string",
    "pattern": "^[a-z_][a-z0-9_]*:[A-Za-z0-9][A-Za-z0-9._-]*$",
    "maxLength": 255,
}
_REFERENCE: Schema = {
    "description": "`module:Name`, such as `shop.orders:Order`.",
    "type": "string",
    "pattern": "^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$",
    "maxLength": 255,
    "format": "python-reference",
}
_TOPIC: Schema = {
    "description": "A topic, or a pattern with one `*` at its end, such as `order.*`.",
    "type": "string",
    "pattern": "^([A-Za-z0-9][A-Za-z0-9._-]*\\*?|\\*)$",
    "maxLength": 255,
}


def _count(told: str) -> Schema:
    return {"description": told, "type": "integer", "minimum": 1, "maximum": 1_000_000}


def _object(told: str, required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    named = {name.removesuffix("_"): each for name, each in properties.items()}
    found: Schema = {"description": told, "type": "object", "additionalProperties": False, "properties": named}
    return {**found, "required": list(required)} if required else found


def _conditions(told: str) -> Schema:
    return {"description": told, "type": "array", "items": {"type": "object"}}


_RETRY = _object(
    "How often a call is made, and how long to wait in between: `delay`, twice as long each time, at most `max`.",
    attempts=_count("How often the call is made, at most, the first time included."),
    delay={**_DURATION, "description": "How long to wait after the first attempt."},
    max={**_DURATION, "description": "How long to wait, at most; 60s by default."},
    jitter={
        "description": "The share of a wait that may be left out, at random; 0.25 by default.",
        "type": "number",
        "minimum": 0,
        "maximum": 1,
    },
)
_NODE = _object(
    "One step of a workflow.",
    call=_CALL,
    with_={"description": "Parameter -> value, with references `${input.x}`, `${NODE.x}`.", "type": "object"},
    after={
        "description": "Nodes that have to be over, besides those that it refers to.",
        "type": "array",
        "items": _NAME,
        "uniqueItems": True,
    },
    when=_conditions("Conditions that have to hold, or the node is skipped."),
    for_each={"description": "A reference to a list: the call is made for each `${item}`.", "type": "string"},
    most=_count("How many items there may be."),
    at_once=_count("How many items are done at a time."),
    retry=_RETRY,
    timeout={**_DURATION, "description": "How long one call may take."},
    on_error={
        "description": "`fail`, or `continue` where the run goes on without its result.",
        "enum": ["fail", "continue"],
    },
)
_PATH: Schema = {"description": "A path into the event, such as `customer.id`.", "type": "string", "minLength": 1}
ENTRIES: Mapping[str, Schema] = {
    "workflows": _object(
        "A workflow.",
        input={**_REFERENCE, "description": "The type of what it is given: `module:Name`. Any object by default."},
        nodes={
            "description": "Node -> what it calls.",
            "type": "object",
            "propertyNames": _NAMED,
            "additionalProperties": _NODE,
        },
        result={"description": "What it results in, with references to nodes; nothing by default."},
        steps={
            "description": "Whether steps go by the wiring there is then, or by that which the run began in.",
            "enum": ["current", "pinned"],
        },
        start_when={
            "description": "Whether a node waits for what it depends on, or for the whole level before its own.",
            "enum": ["dependencies", "level"],
        },
        queue=_NAME,
    ),
    "queues": _object(
        "A queue, and its limits.",
        at_once=_count("How many runs may be under way, in all processes."),
        at_once_here=_count("How many runs may be under way in one process."),
        rate=_object(
            "How many runs may begin in how long a time.", ("limit", "per"), limit=_count("How many."), per=_DURATION
        ),
    ),
    "topics": _object(
        "A topic.",
        type={**_REFERENCE, "description": "The type of its events: `module:Name`. Any object by default."},
        order_by={**_PATH, "description": "The field by whose value durable deliveries keep their order."},
    ),
    "subscriptions": _object(
        "Who is told of which topics; its handler is the component of that key, unless it starts a workflow.",
        topics={"description": "Topics and patterns.", "type": "array", "items": _TOPIC, "minItems": 1},
        delivery={
            "description": "`direct`, in the process that emits, or `durable`, by a run of its own.",
            "enum": ["direct", "durable"],
        },
        where=_conditions("Conditions of the event that have to hold."),
        retry=_RETRY,
        timeout={**_DURATION, "description": "How long a handler may take."},
        at_once=_count("How many events it handles at a time in one process."),
        priority={
            "description": "Handlers of higher priority are done before others begin; the component's own by default.",
            "type": "integer",
            "minimum": -1000,
            "maximum": 1000,
        },
        fanout={
            "description": "`broadcast`, `exclusive` where only the highest match is delivered to, or `processes`: "
            "broadcast, in every process.",
            "enum": ["broadcast", "exclusive", "processes"],
        },
        queue=_NAME,
        starts={**_CALL, "description": "The workflow that each event starts, such as `workflow:fulfil`."},
    ),
    "schedules": _object(
        "When something is called by itself: one of `cron`, `every` and `at`.",
        cron={"description": "Minute, hour, day of month, month, day of week.", "type": "string"},
        every={**_DURATION, "description": "How often, counted from 1970-01-01T00:00Z."},
        at=_INSTANT,
        zone={"description": "The time zone of `cron`, such as `Europe/Berlin`; UTC by default.", "type": "string"},
        call=_CALL,
        with_={"description": "Parameter -> value; `${tick.at}` and `${tick.schedule}` too.", "type": "object"},
        misfire={
            "description": "What becomes of ticks that were missed: `skip`, `once` (the newest) or `all`.",
            "enum": ["skip", "once", "all"],
        },
        overlap={
            "description": "Where the run before is not over: `skip` the tick, or `queue` it.",
            "enum": ["skip", "queue"],
        },
        jitter={**_DURATION, "description": "Starts are delayed by a random part of this."},
        start={**_INSTANT, "description": "No tick before this instant."},
        end={**_INSTANT, "description": "No tick after this instant."},
        most=_count("How many ticks there are in all."),
        tenants={"description": "`all`, or names: who it runs for. The base by default.", "type": ["string", "array"]},
        queue=_NAME,
    ),
}
_SINGLE_SCHEMAS: Mapping[str, Schema] = {
    "outbox": {**_KEY, "description": "The database whose transactions events can be part of."},
    "broadcast": {
        **_KEY,
        "description": "The queue by which every process is told, with `fanout: processes`.",
    },
    "export": {
        "description": "Topic or pattern -> the queue that takes its events to other applications.",
        "type": "object",
        "propertyNames": {"pattern": _TOPIC["pattern"], "maxLength": 255, "description": _TOPIC["description"]},
        "additionalProperties": _KEY,
    },
    "import": {"description": "The queues that events come from.", "type": "array", "items": _KEY, "uniqueItems": True},
}
_TOLD = {
    "workflows": "Workflow -> its nodes, and how it runs.",
    "queues": "Queue -> its limits.",
    "topics": "Topic -> the type of its events.",
    "subscriptions": "Subscription -> its topics, and how it is told of them.",
    "schedules": "Schedule -> what it calls, and when.",
}
DISABLE: Schema = {
    "description": "Names of workflows, queues, topics, subscriptions and schedules that this takes away.",
    "type": "array",
    "items": _NAME,
    "uniqueItems": True,
}


def section_schemas() -> dict[str, Schema]:
    """What the section of a domain may have of all this, as properties of its schema."""
    found: dict[str, Schema] = {
        kind: {
            "description": _TOLD[kind],
            "type": ["object", "null"],
            "propertyNames": _NAMED,
            "additionalProperties": entry,
        }
        for kind, entry in ENTRIES.items()
    }
    return {**found, **_SINGLE_SCHEMAS, "disable": DISABLE}
