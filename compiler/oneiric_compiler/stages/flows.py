"""Stage 5: what the settings declare besides components, checked and as facts of the report: workflows and their
queues, topics and subscriptions, schedules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

from oneiric.texts import duration

from oneiric_compiler.diagnostics.found import Diagnostics, Place, did_you_mean
from oneiric_compiler.linking.entries import called, overlaid, served, single, stated, subscriptions
from oneiric_compiler.linking.flowing import Flowing
from oneiric_compiler.linking.overlays import changed, check_tenants
from oneiric_compiler.linking.scheduling import Scheduling
from oneiric_compiler.linking.scope import Scope
from oneiric_compiler.linking.subscribing import Subscribing, matches
from oneiric_compiler.linking.targets import Targets
from oneiric_compiler.model import Decision, Entry, Gathered, Key, Linked, Stated

Facts: TypeAlias = dict[str, Any]
Reach: TypeAlias = tuple[str, ...]
"""Patterns of what the workflows of a source may call besides what its own entries serve."""
_OF_CODE = frozenset(("from", "reads", "token"))
"""Facts of a node that its code, and no engine, goes by: a tenant's flow is data alone."""
RETRY = {"attempts": 1, "delay": 1.0, "max": 60.0, "jitter": 0.25}


def flows(scope: Scope, linked: Linked, inputs: Gathered, diagnostics: Diagnostics) -> Facts:
    """The facts of a profile by kind and name, of kinds that have any."""
    decisions: dict[Key, Decision] = {key: bound.decision for key, bound in linked.bindings.items()}
    declared = served(scope, decisions)
    same = {key: target for key, (target, _) in linked.aliases.items()}
    targets = Targets(inputs.sources, linked.bindings, same, declared, diagnostics)
    queues, topics, schedules = (stated(scope, kind) for kind in ("queues", "topics", "schedules"))
    broadcasts = single(scope, "broadcast") is not None
    subscribing = Subscribing(topics, subscriptions(scope, decisions), targets, plain, diagnostics, broadcasts)
    scheduling = Scheduling(targets, inputs.settings.tenants, seconds, calling, diagnostics)
    reach = {f"manifest:{each.name}": each.calls for each in inputs.settings.remote.sources}
    found: Facts = {
        "workflows": {
            name: _workflow(name, entry, targets, reach, diagnostics) for name, entry in sorted(declared.items())
        },
        "queues": {name: _queue(entry, diagnostics) for name, entry in sorted(queues.items())},
        "topics": {name: subscribing.topic(name, entry) for name, entry in sorted(topics.items())},
        "subscriptions": {
            name: subscribing.subscription(name, entry) for name, entry in sorted(subscribing.subscriptions.items())
        },
        "schedules": {name: scheduling.schedule(name, entry) for name, entry in sorted(schedules.items())},
        **_ways(scope, subscribing, targets),
    }
    workflows = {key.name: declared.get(key.name) for key in linked.bindings if key.domain == "workflow"}
    check_tenants(inputs.settings, workflows, diagnostics)
    for tenant, key, overlay in _changing(linked):
        whole = changed(declared[key.name], overlay)
        theirs = _workflow(key.name, whole, targets, reach, diagnostics, f" of tenant `{tenant}`")
        base = found["workflows"][key.name]
        base.setdefault("tenants", {})[tenant] = _of_tenant(theirs, base, overlay)
    tenants = _overlay(scope, subscribing, found["subscriptions"])
    _check_queues(
        {"workflow": declared, "subscription": subscribing.subscriptions, "schedule": schedules}, queues, diagnostics
    )
    _check_queues({"subscription": tenants}, queues, diagnostics)
    if topics or subscribing.subscriptions:
        subscribing.check_handlers(linked.bindings)
    return {kind: facts for kind, facts in found.items() if facts}


def _overlay(scope: Scope, subscribing: Subscribing, found: Facts) -> dict[str, Entry]:
    """Adds to the facts of subscriptions what tenants have other; gives what they state, by tenant and name."""
    entries: dict[str, Entry] = {}
    for tenant, name, differs in overlaid(scope):
        if name in found:
            facts = subscribing.of_tenant(name, differs, found[name])
            found[name].setdefault("tenants", {})[tenant] = facts
        elif differs:
            subscribing.tell_unknown(tenant, name, differs.place)
        if differs:
            entries[f"{name}` of tenant `{tenant}"] = differs
    return entries


def _ways(scope: Scope, subscribing: Subscribing, targets: Targets) -> Facts:
    """The outbox, and the queues that events go to, are broadcast by and come from."""
    outbox, exported, imported = (single(scope, name) for name in ("outbox", "export", "import"))
    found: Facts = {}
    if outbox and targets.serves(outbox.value, outbox.place, "`outbox`"):
        found["outbox"] = {"key": outbox.value, "from": str(outbox.place)}
    everywhere = single(scope, "broadcast")
    if everywhere and targets.serves(everywhere.value, everywhere.place, "`broadcast`"):
        subscribing.check_broadcast(everywhere)
        found["broadcast"] = {"key": everywhere.value, "from": str(everywhere.place)}
    if exported:
        found["exports"] = {}
        for pattern, key in sorted(exported.value.items()):
            place = exported.at(pattern)
            if not any(matches(pattern, topic) for topic in subscribing.topics):
                subscribing.tell_unmatched(pattern, place, "`export`")
            if targets.serves(key, place, "`export`"):
                found["exports"][pattern] = {"key": key, "from": str(place)}
    if imported:
        stated = [(key, imported.at(at)) for at, key in enumerate(imported.value) if key is not None]
        found["imports"] = {
            key: {"from": str(place)} for key, place in stated if targets.serves(key, place, "`import`")
        }
    return found


def _workflow(
    name: str, entry: Entry, targets: Targets, reach: Mapping[str, Reach], diagnostics: Diagnostics, whose: str = ""
) -> Facts:
    fields = entry.fields
    if (source := targets.bindings[Key("workflow", name)].decision.winner.source) in reach:
        _check_reach(name, entry, targets, source, reach[source], diagnostics)
        entry = _given_input(entry, targets)
    flowing = Flowing(name, entry, targets, diagnostics, whose)
    nodes = flowing.checked()
    facts: Facts = {"from": str(entry.place)}
    for field in ("input", "result", "steps", "start_when", "queue"):
        if field in fields:
            facts[field] = fields[field].value
    facts["levels"] = [list(level) for level in flowing.levels]
    facts["nodes"] = {
        node: {**_node(entry.parts[node], diagnostics), **calling(targets, entry.parts[node], diagnostics), **read}
        for node, read in nodes.items()
    }
    if flowing.reads_result:
        facts["reads"] = flowing.reads_result
    return facts


def _changing(linked: Linked) -> Iterator[tuple[str, Key, Entry]]:
    """What tenants have other of workflows that are declared for all of them."""
    for tenant, bindings in linked.tenants.items():
        for key, bound in bindings.items():
            if bound.overlay and linked.bindings[key].decision.winner.is_declared:
                yield tenant, key, bound.overlay


def _of_tenant(whole: Facts, base: Facts, overlay: Entry) -> Facts:
    """What a tenant's workflow has other than the base's."""
    facts: Facts = {"from": str(overlay.place)}
    if whole["levels"] != base["levels"]:
        facts["levels"] = whole["levels"]
    nodes: Facts = {}
    for name, node in whole["nodes"].items():
        below = base["nodes"][name]
        own = {each: fact for each, fact in node.items() if each not in _OF_CODE and below.get(each) != fact}
        nodes |= {name: {"from": str(overlay.parts[name].place), **own}} if own else {}
    return {**facts, "nodes": nodes}


def _check_reach(
    name: str, entry: Entry, targets: Targets, source: str, calls: Reach, diagnostics: Diagnostics
) -> None:
    """Reports what a workflow of a manifest calls that another source serves, where the settings do not let it."""
    for node in entry.parts.values():
        call = node.fields["call"].value
        bound = targets.bindings.get(targets.same.get(called(call), called(call)))
        if bound is None or bound.decision.winner.source == source or any(matches(each, call) for each in calls):
            continue
        winner = bound.decision.winner
        what = f"workflow `{name}` of {source} calls {call}, which {winner.provider} of {winner.source} serves"
        help = f"let it: `calls: [{call}]` at the source in settings/remote.yml"
        related = [("served by", winner.place)]
        diagnostics.add("ONE727", what, node.fields["call"].place, help=help, related=related)


def _given_input(entry: Entry, targets: Targets) -> Entry:
    """A workflow of a manifest whose nodes without payload are given what they require of its input, as upstream has
    it."""
    quiet = replace(targets, diagnostics=Diagnostics())
    nodes = dict(entry.parts)
    for name, node in nodes.items():
        if "with" not in node.fields:
            target = quiet.of(node.fields["call"].value, node.place, name)
            taken = (target.parameters if target else None) or {}
            given = {each: f"${{input.{each}}}" for each, parameter in taken.items() if parameter.required}
            nodes[name] = node._replace(fields={**node.fields, "with": Stated(given, node.place)}) if given else node
    return entry._replace(parts=nodes)


def calling(targets: Targets, node: Entry, diagnostics: Diagnostics) -> Facts:
    """How often and how long something is called that says so itself, where the node does not."""
    key = called(node.fields["call"].value) if "call" in node.fields else None
    bound = targets.bindings.get(targets.same.get(key, key)) if key else None
    own: Mapping[str, Stated[Any]] = bound.decision.winner.calling if bound else {}
    return plain({name: each for name, each in own.items() if name not in node.fields}, diagnostics)


def _node(node: Entry, diagnostics: Diagnostics) -> Facts:
    fields, facts = node.fields, {"from": str(node.place)}
    return {**facts, **plain(fields, diagnostics, "call", "with", "when", "for_each", "most", "at_once", "on_error")}


def plain(fields: Mapping[str, Stated[Any]], diagnostics: Diagnostics, *names: str) -> Facts:
    """These fields as they are stated, and those of calls with their durations in seconds."""
    facts: Facts = {name: fields[name].value for name in names if name in fields}
    if "retry" in fields:
        facts["retry"] = retry(fields["retry"], diagnostics)
    if "timeout" in fields:
        facts["timeout"] = seconds(fields["timeout"].value, fields["timeout"].place, diagnostics)
    return facts


def retry(stated: Stated[Any], diagnostics: Diagnostics) -> Facts:
    """How often and when a call is made again, all of it said."""
    value: dict[str, Any] = stated.value
    found = {**RETRY, **value}
    for name in ("delay", "max"):
        if name in value:
            found[name] = seconds(value[name], stated.at(name), diagnostics)
    if found["delay"] > found["max"]:
        message = f"the first wait of {found['delay']:g} s is longer than the longest of {found['max']:g} s"
        place = stated.at("delay" if "delay" in value else "max")
        diagnostics.add("ONE717", message, place, help="raise `max`, or wait less at first")
    return {name: found[name] for name in RETRY}


def seconds(value: Any, place: Place, diagnostics: Diagnostics) -> float:
    """A duration in seconds; one that is none is reported."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return duration(str(value)).total_seconds()
    except ValueError as error:
        diagnostics.add("ONE729", f"`{value}` is not {error}", place, help="write it with its unit, such as `30s`")
        return 0.0


def _queue(entry: Entry, diagnostics: Diagnostics) -> Facts:
    fields = entry.fields
    facts: Facts = {"from": str(entry.place)}
    facts |= {name: fields[name].value for name in ("at_once", "at_once_here") if name in fields}
    if "rate" in fields and {"limit", "per"} <= fields["rate"].value.keys():
        rate = fields["rate"].value
        facts["rate"] = [rate["limit"], seconds(rate["per"], fields["rate"].at("per"), diagnostics)]
    if facts.get("at_once_here", 0) > facts.get("at_once", facts.get("at_once_here", 0)):
        message = f"{facts['at_once_here']} runs in one process are more than {facts['at_once']} in all"
        diagnostics.add("ONE717", message, fields["at_once_here"].place, help="lower it, or raise `at_once`")
    return facts


def _check_queues(
    kinds: Mapping[str, Mapping[str, Entry]], queues: Mapping[str, Entry], diagnostics: Diagnostics
) -> None:
    """Reports queues that nobody declares."""
    for kind, entries in kinds.items():
        for name, entry in sorted(entries.items()):
            stated = entry.fields.get("queue")
            if stated and stated.value not in queues:
                otherwise = f"declare it in settings/workflows.yml: `queues: {{{stated.value}: {{at_once: 10}}}}`"
                help = partial(did_you_mean, stated.value, queues, otherwise)
                message = f"{kind} `{name}` waits in the queue `{stated.value}`, which is not declared"
                diagnostics.add("ONE716", message, stated.place, help=help)
