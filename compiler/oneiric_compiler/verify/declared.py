"""What a wiring declares besides components, held against the report: workflows, topics, subscriptions, schedules."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from oneiric_compiler.verify.decisions import Facts
from oneiric_compiler.verify.flow_code import stated_steps
from oneiric_compiler.verify.flowing import FlowBlock, of_tenant, printed, same, same_nodes, stated_flow, without_places
from oneiric_compiler.verify.source import WiringSource

FACTORY = "oneiric.declared:flow"
_TABLES = ("queues", "subscriptions", "schedules")


def is_flow(report: Facts, key: str, binding: Facts) -> bool:
    """Whether a key is served by a workflow of the settings."""
    return binding["factory"] == FACTORY and key.partition(":")[2] in report.get("workflows", {})


def declared(
    report: Facts, source: WiringSource, attributes: Mapping[str, str], tenants: Mapping[str, str]
) -> Iterator[str]:
    """Where wiring.py declares something else than the report; `attributes` are those of keys and topics by name."""
    topics, flows = report.get("topics", {}), report.get("workflows", {})
    wanted = "".join((
        "Topics as BaseTopics, " if topics else "", "flow, " if flows else "", "topic, " if topics else ""
    )).removesuffix(", ")  # fmt: skip
    if source.declared != wanted:
        yield f"wiring.py declares by `{source.declared}`, and the report's facts come to `{wanted}`"
    for name, expected in _tables(report).items():
        found = source.stated.get(name)
        if found is None and not expected:
            continue
        if not same(found, expected):
            yield f"wiring.py has another {name}, and the report says {json.dumps(expected)}"
    yield from _topics(source, topics, attributes)
    keys = sorted(key for key, binding in report["bindings"].items() if is_flow(report, key, binding))
    if [each.key for each in source.flows] != keys:
        yield f"wiring.py has the workflows {[each.key for each in source.flows]}, and the report says {keys}"
        return
    for each in source.flows:
        facts = flows[each.key.partition(":")[2]]
        for finding in _flow(report, source, each, facts, attributes, tenants):
            yield f"{each.key}: wiring.py {finding}"


def _tables(report: Facts) -> dict[str, Any]:
    found = {f"__{kind}__": without_places(report.get(kind, {})) for kind in _TABLES}
    found["__outbox__"] = report["outbox"]["key"] if "outbox" in report else None
    found["__broadcast__"] = report["broadcast"]["key"] if "broadcast" in report else None
    found["__exports__"] = {pattern: each["key"] for pattern, each in report.get("exports", {}).items()}
    found["__imports__"] = [*report.get("imports", {})]
    return found


def _topics(source: WiringSource, topics: Facts, attributes: Mapping[str, str]) -> Iterator[str]:
    if [each.name for each in source.topics] != [*topics]:
        yield f"wiring.py has the topics {[each.name for each in source.topics]}, and the report says {[*topics]}"
        return
    for each in source.topics:
        stated = {name: topics[each.name][name] for name in ("type", "order_by") if name in topics[each.name]}
        expected = attributes[each.name], stated, stated.get("type", "dict[str, Any]")
        if (each.attribute, each.options, each.type) != expected:
            yield f"topic {each.name}: wiring.py has {each}, and the report's facts say {expected}"


def _flow(
    report: Facts,
    source: WiringSource,
    block: FlowBlock,
    facts: Facts,
    attributes: Mapping[str, str],
    tenants: Mapping[str, str],
) -> Iterator[str]:
    binding = report["bindings"][block.key]
    expected_print = printed(binding, of_tenant(facts, None))
    options = dict(block.options)
    data = options.pop("flow", {})
    input, lines = facts.get("input"), tenants.get(block.key)
    expected_options = {**({"input": input} if input else {}), **({"tenants": lines} if lines else {})}
    if binding["provider"] != "declared":
        expected_options["provider"] = binding["provider"]
    result = facts.get("result")
    names = tuple(cast("Facts", result)) if isinstance(result, dict) else ()
    fields = names if all(name.isidentifier() for name in names) else ()
    levels, nodes = len(facts["levels"]), len(facts["nodes"])
    place = facts["from"].partition("#")[0]
    told = f"{nodes} node{'s' * (nodes != 1)} in {levels} level{'s' * (levels != 1)}; {place} declares it"
    said: dict[str, tuple[object, object]] = {
        "domain": (source.domains.get(report["domains"]["workflow"]), block.domain),
        "attribute": (attributes[block.key.partition(":")[2]], block.attribute),
        "fingerprint": (expected_print, block.fingerprint),
        "fingerprint of the report": (expected_print, binding["fingerprint"]),
        "options": (expected_options, options),
        "type of its input": (input or "Any", block.takes),
        "result": (fields, block.results),
        "words": (told, block.told),
        "code": (tuple(stated_steps(report, of_tenant(facts, None), attributes)), block.steps),
    }
    for what, (expected, found) in said.items():
        if expected != found:
            yield f"has another {what}: {found}, and the report's facts say {expected}"
    if not same_nodes(data, stated_flow(facts)):
        yield f"has another flow, and the report says {json.dumps(stated_flow(facts))}"
