"""Workflows, topics, subscriptions, schedules and queues: each change is told by its class, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from oneiric.report import parse_report
from oneiric_compiler.questions.diff.compare import compare

WANT = Path(__file__).parent.parent / "golden" / "events_declared" / "want" / "explain.json"
OLD = json.loads(WANT.read_text("utf-8"))
EDITS: dict[str, tuple[str, Any, tuple[str, str, str, str]]] = {
    "a retry": (
        "workflows/fulfil/nodes/reserve/retry/attempts",
        9,
        ("workflow", "workflow:fulfil", "reserve: retry", "changed"),
    ),
    "a call": (
        "workflows/fulfil/nodes/charge/call",
        "task:label",
        ("workflow", "workflow:fulfil", "charge: call", "changed"),
    ),
    "a node": ("workflows/fulfil/nodes/labels", None, ("workflow", "workflow:fulfil", "node labels", "removed")),
    "a result": ("workflows/fulfil/result", None, ("workflow", "workflow:fulfil", "result", "removed")),
    "a barrier": ("workflows/fulfil/start_when", "level", ("workflow", "workflow:fulfil", "start_when", "added")),
    "a topic": (
        "topics/order.new",
        {"from": "settings/events.yml#/topics/order.new"},
        ("topic", "order.new", "topic", "added"),
    ),
    "a type": ("topics/order.placed/type", "shop:Other", ("topic", "order.placed", "type", "changed")),
    "a delivery": ("subscriptions/audit/delivery", "durable", ("subscription", "audit", "delivery", "added")),
    "a condition": ("subscriptions/welcome/where", [], ("subscription", "welcome", "where", "changed")),
    "a subscription": ("subscriptions/audit", None, ("subscription", "audit", "subscription", "removed")),
    "a time": ("schedules/nightly/cron", "0 3 * * *", ("schedule", "nightly", "cron", "changed")),
    "a limit": ("queues/orders/at_once", 5, ("queue", "orders", "at_once", "changed")),
    "an outbox": ("outbox/key", "adapter:other", ("topic", "outbox", "key", "changed")),
    "an export": ("exports/order.*", None, ("topic", "order.*", "export", "removed")),
    "an import": ("imports/adapter:queue", None, ("topic", "adapter:queue", "import", "removed")),
}


def edited(path: str, value: Any) -> Any:
    report = json.loads(json.dumps(OLD))
    *parents, last = path.split("/")
    inner = report
    for parent in parents:
        inner = inner[parent]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return report


@pytest.mark.parametrize("name", EDITS)
def test_a_change_is_told_by_its_class(name: str) -> None:
    path, value, expected = EDITS[name]
    old, new = (parse_report(json.dumps(each).encode()) for each in (OLD, edited(path, value)))
    assert [(each.kind, each.key, each.what, each.how) for each in compare(old, new)] == [expected]
    back = {"added": "removed", "removed": "added", "changed": "changed"}
    (undone,) = compare(new, old)
    assert (undone.kind, undone.key, undone.what, undone.how) == (*expected[:3], back[expected[3]])


OVERLAID = Path(__file__).parent.parent / "golden" / "flow_of_tenants" / "want" / "explain.json"


def test_what_a_tenant_has_other_of_a_workflow_is_told_once_and_for_it_alone() -> None:
    old = json.loads(OVERLAID.read_text("utf-8"))
    new = json.loads(OVERLAID.read_text("utf-8"))
    tenants = new["workflows"]["fulfil"]["tenants"]
    tenants["acme"]["nodes"]["charge"]["timeout"] = 9.0
    del tenants["beta"]
    told = compare(*(parse_report(json.dumps(each).encode()) for each in (old, new)))
    assert [(each.kind, each.key, each.tenant, each.what, each.how) for each in told if each.kind == "workflow"] == [
        ("workflow", "workflow:fulfil", "acme", "charge: timeout", "changed"),
        ("workflow", "workflow:fulfil", "beta", "labels: timeout", "removed"),
    ]


def test_places_and_what_follows_from_other_facts_are_no_changes() -> None:
    for path in (
        "workflows/fulfil/from",
        "workflows/fulfil/nodes/reserve/from",
        "topics/order.paid/from",
        "outbox/from",
    ):
        new = edited(path, "settings/elsewhere.yml#/x")
        assert compare(*(parse_report(json.dumps(each).encode()) for each in (OLD, new))) == []


def test_what_can_be_made_again_no_longer_is_told() -> None:
    path = Path(__file__).parent.parent / "golden" / "idempotent" / "want" / "explain.json"
    old = json.loads(path.read_text("utf-8"))
    new = json.loads(json.dumps(old))
    (candidate,) = new["bindings"]["service:log"]["candidates"]
    del candidate["idempotent"]
    told = compare(*(parse_report(json.dumps(each).encode()) for each in (old, new)))
    assert [(each.kind, each.key, each.what, each.how) for each in told] == [
        ("candidate", "service:log", "log idempotent", "removed")
    ]
