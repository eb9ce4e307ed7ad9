"""A workflow drawn level by level, and what calls a key besides code: told to a person."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from oneiric.report import Report, flow_of

from oneiric_compiler.text.redact import masked

Locate: TypeAlias = Callable[[str], str]
Row: TypeAlias = tuple[str, str, str]


def levels(report: Report, key: str, locate: Locate) -> Iterator[tuple[str, list[Row]]]:
    """The nodes of a workflow of the settings, a group for each level: what each calls, who serves that, and when."""
    facts: Any = report.raw
    flow = facts.get("workflows", {}).get(key.removeprefix("workflow:"))
    if flow is None or not key.startswith("workflow:"):
        return
    flow = flow_of(flow, report.tenant)
    for number, level in enumerate(flow["levels"], 1):
        nodes = [(name, flow["nodes"][name]) for name in level]
        named = f"level {number} of {len(flow['levels'])}"
        yield named, [(name, _node(report, node), locate(node["from"])) for name, node in nodes]
    if stated := _how(flow):
        yield "runs", [(name, text, locate(flow["from"])) for name, text in stated]


def overlays(report: Report, key: str, locate: Locate) -> list[Row]:
    """What tenants have other of a workflow, a row for each of its nodes."""
    facts: Any = report.raw
    flow: Any = facts.get("workflows", {}).get(key.removeprefix("workflow:")) if key.startswith("workflow:") else None
    found: list[Row] = []
    for tenant, own in flow.get("tenants", {}).items() if flow and report.tenant is None else ():
        for name, node in own["nodes"].items():
            fields = ", ".join(f"`{each}`" for each in node if each not in ("from", "after"))
            found.append((tenant, f"another {fields} of its node {name}", locate(node["from"])))
    return found


def callers(report: Report, key: str, locate: Locate) -> list[Row]:
    """The workflows, schedules and subscriptions that call a key."""
    facts: Any = report.raw
    found: list[Row] = []
    for name, flow in facts.get("workflows", {}).items():
        nodes = [(each, node) for each, node in flow["nodes"].items() if _called(node["call"]) == key]
        found += [(f"workflow:{name}", f"its node {each}", locate(node["from"])) for each, node in nodes]
    for name, schedule in facts.get("schedules", {}).items():
        if _called(schedule["call"]) == key:
            found.append((f"schedule {name}", _when(schedule), locate(schedule["from"])))
    for name, subscription in facts.get("subscriptions", {}).items():
        if key in (subscription.get("handler"), _called(subscription.get("starts", ""))):
            found.append((f"subscription {name}", _told(subscription), locate(subscription["from"])))
    return found


def _node(report: Report, node: Mapping[str, Any]) -> str:
    binding = report.bindings.get(_called(node["call"]))
    served = f" ({binding.provider})" if binding else ""
    parts = [f"calls {node['call']}{served}"]
    if node["after"]:
        parts.append(f"after {', '.join(node['after'])}")
    if "for_each" in node:
        parts.append(f"for each of {node['for_each']}, at most {node['most']}")
    if "when" in node:
        parts.append(f"when {masked(json.dumps(node['when'], ensure_ascii=False))}")
    if retry := node.get("retry"):
        parts.append(f"{retry['attempts']} attempts")
    if "timeout" in node:
        parts.append(f"{node['timeout']:g} s at most")
    if node.get("on_error") == "continue":
        parts.append("the run goes on if it fails")
    return "; ".join(parts)


def _how(flow: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [("input", flow["input"])] if "input" in flow else []
    if "queue" in flow:
        found.append(("queue", flow["queue"]))
    if flow.get("start_when") == "level":
        found.append(("start", "each level when the one before is over"))
    if flow.get("steps") == "pinned":
        found.append(("steps", "by the generation that a run begins in"))
    return found


def _when(schedule: Mapping[str, Any]) -> str:
    if "cron" in schedule:
        return f"{schedule['cron']} in {schedule.get('zone', 'UTC')}"
    return f"every {schedule['every']:g} s" if "every" in schedule else f"at {schedule['at']}"


def _told(subscription: Mapping[str, Any]) -> str:
    topics = ", ".join(subscription["topics"]) or "no topic"
    where = f" where {masked(json.dumps(subscription['where'], ensure_ascii=False))}" if "where" in subscription else ""
    return f"{subscription.get('delivery', 'direct')} delivery of {topics}{where}"


def _called(call: str) -> str:
    return call.partition("#")[0]
