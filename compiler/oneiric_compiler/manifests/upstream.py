"""What an entry of a manifest says of workflows, events and calls, in upstream's words, as settings would say it.

Upstream's words and their other spellings are those of its 0.17.0 to 0.33: `dag.nodes|tasks` of `id|key`, `event_…`,
`retry_policy`, `timeout_seconds`. Durations are seconds. A word that is not known here is never passed over: a filter
that is dropped would deliver everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from oneiric.flows.conditions import holds
from oneiric.flows.paths import MISSING, is_list, parsed

Facts: TypeAlias = dict[str, Any]
At: TypeAlias = "tuple[str | int, ...]"

_RETRY = {
    "attempts": ("attempts", "max_attempts"),
    "delay": ("base_delay", "initial_delay"),
    "max": ("max_delay", "max_backoff"),
    "jitter": ("jitter", "backoff_jitter"),
}
_FILTER = {"path": ("path", "field"), "equals": ("equals", "value"), "any_of": ("any_of", "one_of", "in")}
_HEADERS = {"event_id": "id", "timestamp": "time"}
"""What of upstream's headers CloudEvents calls otherwise; of others the letters and digits are the name."""
_NODE_WORDS = frozenset(("id", "key", "task", "depends_on", "payload", "retry_policy"))
_DAG_WORDS = frozenset(("nodes", "tasks", "retry_policy", "scheduler"))
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\*?|\*")
_CALLED = frozenset(("action", "event", "service", "task"))
"""Domains whose components are called by a run or delivered to, so that a retry and a timeout mean something."""
_EVENT_WORDS = ("event_topics", "event_filters", "event_priority", "event_max_concurrency", "event_fanout_policy")
MOST = 1000
"""The bounds of a priority, and the most attempts that make sense to read."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What cannot be meant: where in the entry, what is wrong, what to do."""

    path: At
    message: str
    help: str


@dataclass(slots=True)
class Said:
    """What an entry says besides who it is, in the fields of `settings/workflows.yml` and `settings/events.yml`.

    `workflow` has `nodes`; `subscription` has `topics`; `calling` is the `retry` and `timeout` of whatever calls it.
    `unserved` are the words that have no effect.
    """

    workflow: Facts | None = None
    subscription: Facts | None = None
    calling: Facts = field(default_factory=dict[str, Any])
    wrong: list[Wrong] = field(default_factory=list[Wrong])
    unserved: list[str] = field(default_factory=list[str])


def said(entry: Mapping[str, Any]) -> Said:
    """What an entry says. Its fields are of the types that the manifest's schema asks for; none is null."""
    found, domain = Said(), entry["domain"]
    calling: Facts = {}
    if retried := entry.get("retry_policy"):
        calling["retry"] = _retry(retried, ("retry_policy",), found)
    if "timeout_seconds" in entry:
        calling |= _timeout(entry["timeout_seconds"], found)
    if domain in _CALLED:
        found.calling = calling
    else:
        found.unserved += [each for each in ("retry_policy", "timeout_seconds") if entry.get(each) is not None]
    if entry.get("dag"):
        if domain == "workflow":
            _workflow(entry["dag"], calling.get("retry"), found)
            found.unserved = [each for each in found.unserved if each != "retry_policy"]
        else:
            found.unserved.append("dag")
    stated = [each for each in _EVENT_WORDS if entry.get(each) not in (None, [])]
    if domain == "event" and entry.get("event_topics"):
        found.subscription = {**_subscription(entry, found), **calling}
    elif domain == "event" and "event_filters" in stated:
        help = "name the topics: without any, which events are meant is not said"
        found.wrong.append(Wrong(("event_filters",), "`event_filters` without `event_topics`", help))
    else:
        found.unserved += stated
    found.unserved += ["settings_model"] if entry.get("settings_model") else []
    return found


def _workflow(dag: Mapping[str, Any], retry: Facts | None, found: Said) -> None:
    """The nodes of a dag, each level of which waits for the whole one before it, as upstream has them."""
    found.unserved += [f"dag.{word}" for word in sorted(dag.keys() - (_DAG_WORDS - {"scheduler"}))]
    spelled = [each for each in ("nodes", "tasks") if dag.get(each)]
    if len(spelled) != 1:
        what = "both `nodes` and `tasks`" if spelled else "no `nodes`"
        found.wrong.append(Wrong(("dag",), f"a dag with {what}", "list its steps under `nodes`"))
        return
    retry = _retry(dag["retry_policy"], ("dag", "retry_policy"), found) if dag.get("retry_policy") else retry
    nodes: dict[str, Facts] = {}
    for index, node in enumerate(dag[spelled[0]]):
        at = ("dag", spelled[0], index)
        name = _either(node, ("id", "key"), at, found)
        if name is MISSING or not isinstance(name, str) or not _NAME.fullmatch(name):
            help = "give it an `id` of letters, digits, `.`, `_` and `-`"
            found.wrong.append(Wrong(at, "a node without a usable `id`", help))
        elif name in nodes:
            found.wrong.append(Wrong(at, f"a second node `{name}`", "call one of them differently"))
        else:
            nodes[name] = _node(node, retry, at, found)
    found.workflow = {"nodes": nodes, "start_when": "level"}


def _node(node: Mapping[str, Any], retry: Facts | None, at: At, found: Said) -> Facts:
    found.unserved += [f"dag.{at[1]}.{word}" for word in sorted(node.keys() - _NODE_WORDS)]
    task = node.get("task")
    if not isinstance(task, str) or not _NAME.fullmatch(task):
        found.wrong.append(Wrong((*at, "task"), "a node that names no task", "name the key of a task"))
        task = ""
    facts: Facts = {"call": f"task:{task}", "after": list(node.get("depends_on") or ())}
    if node.get("payload") is not None:
        facts["with"] = _escaped(node["payload"])
    own = node.get("retry_policy")
    if own or retry:
        facts["retry"] = _retry(own, (*at, "retry_policy"), found) if own else retry
    return facts


def _subscription(entry: Mapping[str, Any], found: Said) -> Facts:
    facts: Facts = {"topics": []}
    for index, topic in enumerate(entry["event_topics"]):
        if _TOPIC.fullmatch(topic):
            facts["topics"].append(topic)
        else:
            help = "a topic is letters, digits, `.`, `_` and `-`, and a pattern has one `*` at its end"
            found.wrong.append(Wrong(("event_topics", index), f"`{topic}` is not a topic", help))
    conditions: list[Facts] = []
    for index, each in enumerate(entry.get("event_filters") or ()):
        if condition := _condition(each, ("event_filters", index), found):
            conditions.append(condition)
    of_topic = [each for each in conditions if each["path"] == "topic"]
    if of_topic:
        facts["topics"] = [each for each in facts["topics"] if holds(of_topic, {"topic": each})]
    others = [each for each in conditions if each["path"] != "topic"]
    if others:
        facts["where"] = [_of_event(each) for each in others]
    if not facts["topics"] and not found.wrong:
        help = "let its filters of `topic` agree with `event_topics`"
        found.wrong.append(Wrong(("event_filters",), "filters that no topic of the entry passes", help))
    facts |= _numbers(entry, found)
    if (policy := entry.get("event_fanout_policy")) is not None:
        if policy in ("broadcast", "exclusive"):
            facts["fanout"] = policy
        else:
            what = f"`{policy}` is not a way to fan out"
            found.wrong.append(Wrong(("event_fanout_policy",), what, "write `broadcast` or `exclusive`"))
    return facts


def _of_event(condition: Facts) -> Facts:
    """A filter with its path into the payload, or the attribute of the envelope that carries a header."""
    path: str = condition["path"]
    asked = {name: value for name, value in condition.items() if name != "path"}
    first, _, header = path.partition(".")
    if first != "headers":
        return {"path": path.removeprefix("payload."), **asked}
    return {"envelope": _HEADERS.get(header) or re.sub(r"[^a-z0-9]", "", header.lower()), **asked}


def _numbers(entry: Mapping[str, Any], found: Said) -> Iterator[tuple[str, int]]:
    if (priority := entry.get("event_priority")) is not None:
        if -MOST <= priority <= MOST:
            yield "priority", priority
        else:
            found.wrong.append(Wrong(("event_priority",), f"the priority {priority}", f"write -{MOST} to {MOST}"))
    if (most := entry.get("event_max_concurrency")) is not None:
        if most >= 1:
            yield "at_once", most
        else:
            what = f"{most} events at a time"
            found.wrong.append(Wrong(("event_max_concurrency",), what, "write 1 or more, or leave it out"))


def _condition(stated: Mapping[str, Any], at: At, found: Said) -> Facts | None:
    """A filter as a condition of the event, or of its `topic`."""
    known = {word for words in _FILTER.values() for word in words} | {"exists"}
    before = len(found.wrong)
    for word in sorted(stated.keys() - known):
        help = "a filter has a `path` and `equals`, `any_of` or `exists`"
        found.wrong.append(Wrong((*at, word), f"`{word}` is not known of filters", help))
    asked = {name: _either(stated, words, at, found) for name, words in _FILTER.items()}
    asked["exists"] = stated.get("exists", MISSING)
    path = asked.pop("path")
    facts = {name: value for name, value in asked.items() if value is not MISSING}
    if "any_of" in facts and not isinstance(facts["any_of"], list):
        facts["any_of"] = [facts["any_of"]]
    if facts.get("any_of") == []:
        found.wrong.append(Wrong(at, "a filter that nothing passes: `any_of` is empty", "list what may pass"))
    if len(found.wrong) == before and (not isinstance(path, str) or not facts):
        help = "a filter has a `path` and one of `equals`, `any_of` and `exists`"
        found.wrong.append(Wrong(at, "a filter that asks nothing", help))
    if len(found.wrong) > before:
        return None
    try:
        parsed(path)
    except ValueError as error:
        found.wrong.append(Wrong(at, f"`{path}` is not a path", str(error)))
        return None
    if re.fullmatch(r"headers(\.[^A-Za-z0-9]*)?", path):
        found.wrong.append(Wrong(at, f"`{path}` names no header", "name one: `headers.trace_id`"))
        return None
    return {"path": path, **facts}


def _retry(stated: Mapping[str, Any], at: At, found: Said) -> Facts:
    """A retry policy with all that upstream takes for granted: one attempt, no wait, a quarter of it at random."""
    if unknown := sorted(stated.keys() - {word for words in _RETRY.values() for word in words}):
        found.unserved += [f"retry_policy.{word}" for word in unknown]
    read = {name: _either(stated, words, at, found) for name, words in _RETRY.items()}
    facts: Facts = {"attempts": 1, "delay": 0.0, "jitter": 0.25}
    facts |= {name: value for name, value in read.items() if value is not MISSING}
    facts.setdefault("max", facts["delay"])
    bounds = {"attempts": (1, 1_000_000), "delay": (0, 1e9), "max": (0, 1e9), "jitter": (0, 1)}
    for name, (least, most) in bounds.items():
        value = facts[name]
        whole = isinstance(value, int) or (name != "attempts" and isinstance(value, float))
        if isinstance(value, bool) or not whole or not least <= value <= most:
            help = f"write {least} to {most}" if name == "jitter" else f"write {least} or more"
            found.wrong.append(Wrong(at, f"`{_RETRY[name][0]}` cannot be {value!r}", help))
            return {"attempts": 1, "delay": 0.0, "max": 0.0, "jitter": 0.0}
    floats = {name: float(facts[name]) for name in ("delay", "max", "jitter")}
    return {"attempts": facts["attempts"], **floats, "delay": min(floats["delay"], floats["max"])}


def _timeout(stated: float, found: Said) -> Facts:
    if 0 < stated <= 1e9:
        return {"timeout": float(stated)}
    found.wrong.append(Wrong(("timeout_seconds",), f"a timeout of {stated:g} s", "write seconds, more than 0"))
    return {}


def _either(stated: Mapping[str, Any], words: tuple[str, ...], at: At, found: Said) -> Any:
    """What one of several spellings says; the two of them at once are wrong unless they agree."""
    given = {word: stated[word] for word in words if word in stated}
    values = list(given.values())
    if any(each != values[0] for each in values[1:]):
        names = " and ".join(f"`{word}`" for word in given)
        found.wrong.append(Wrong(at, f"{names} say different things", f"write `{words[0]}` alone"))
    return values[0] if values else MISSING


def _escaped(value: Any) -> Any:
    """A payload as a template: upstream's is taken as it is, and refers to nothing."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, dict):
        return {name: _escaped(each) for name, each in cast("dict[str, Any]", value).items()}
    return [_escaped(each) for each in value] if is_list(value) else value
