"""What entries of manifests say of workflows, events and calls, in upstream's words: all of it is served, or told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from oneiric.flows.conditions import holds
from oneiric.flows.graph import levels
from oneiric.flows.interpreter import interpret
from oneiric.flows.model import Flow, Step, Submission
from oneiric.flows.references import rendered
from oneiric_compiler.diagnostics.found import Place, Source, Span
from oneiric_compiler.manifests.saying import saying
from oneiric_compiler.manifests.upstream import Said, said

from tests.golden.signing import PUBLIC
from tests.manifests.pinned import pin_of, refused, report
from tests.samples import sample


def event(**fields: Any) -> Said:
    return said({"domain": "event", "key": "k", "provider": "p", "factory": "f:F", "event_topics": ["a"], **fields})


def flow(dag: Mapping[str, Any], **fields: Any) -> Said:
    return said({"domain": "workflow", "key": "k", "provider": "p", "factory": "f:F", "dag": dag, **fields})


def entries(name: str) -> list[dict[str, Any]]:
    path = sample(name)
    if not path.exists():
        pytest.skip(f"{name} is not here")
    found: list[dict[str, Any]] = yaml.safe_load(path.read_bytes())["entries"]
    return found


# Retries -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "wanted"),
    [
        ({"attempts": 3}, (3, 0.0, 0.0, 0.25)),
        ({"max_attempts": 3, "initial_delay": 2}, (3, 2.0, 2.0, 0.25)),
        ({"attempts": 2, "base_delay": 1, "max_backoff": 8, "backoff_jitter": 0}, (2, 1.0, 8.0, 0.0)),
        ({"base_delay": 9, "max_delay": 3}, (1, 3.0, 3.0, 0.25)),
        ({"attempts": 2, "max_attempts": 2}, (2, 0.0, 0.0, 0.25)),
    ],
)
def test_retries_in_all_spellings_have_upstreams_defaults(stated: Any, wanted: tuple[Any, ...]) -> None:
    found = event(retry_policy=stated)
    assert found.wrong == []
    assert tuple(found.calling["retry"][name] for name in ("attempts", "delay", "max", "jitter")) == wanted


@pytest.mark.parametrize(
    "stated",
    [
        {"attempts": 0},
        {"attempts": -1},
        {"attempts": True},
        {"attempts": 1.5},
        {"base_delay": -1},
        {"jitter": 1.1},
        {"base_delay": "soon"},
        {"attempts": 2, "max_attempts": 3},
    ],
)
def test_a_retry_that_cannot_be_is_told(stated: Any) -> None:
    assert event(retry_policy=stated).wrong


def test_what_of_a_retry_has_no_effect_is_told() -> None:
    assert event(retry_policy={"attempts": 2, "retriable_status_codes": [503]}).unserved == [
        "retry_policy.retriable_status_codes"
    ]


@pytest.mark.parametrize("domain", ["adapter", "plugin"])
def test_a_retry_of_what_nobody_calls_by_name_is_told(domain: str) -> None:
    entry = {"domain": domain, "key": "k", "retry_policy": {"attempts": 2}, "timeout_seconds": 3, "dag": {"nodes": [1]}}
    found = said(entry)
    assert (found.calling, sorted(found.unserved)) == ({}, ["dag", "retry_policy", "timeout_seconds"])


# Events ------------------------------------------------------------------------------------------------------

OF_US = {"payload": {"region": "us", "n": 1, "none": None}}


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ([{"path": "payload.region", "any_of": ["us", "ca"]}], True),
        ([{"field": "region", "one_of": "us"}], True),
        ([{"path": "region", "in": ["eu"]}], False),
        ([{"field": "n", "value": 1}], True),
        ([{"path": "n", "equals": True}], False),
        ([{"path": "gone", "equals": None}], False),
        ([{"path": "none", "equals": None}], True),
        ([{"path": "none", "exists": True}], True),
        ([{"path": "gone", "exists": False}], True),
        ([{"path": "n", "equals": 1}, {"path": "region", "equals": "eu"}], False),
    ],
)
def test_filters_lead_into_the_payload_and_hold_together(filters: list[dict[str, Any]], passes: bool) -> None:
    found = event(event_filters=filters).subscription
    assert found is not None
    assert holds(found["where"], OF_US["payload"]) is passes


def test_a_filter_of_the_topic_chooses_among_the_topics() -> None:
    found = event(event_topics=["a", "b", "c"], event_filters=[{"path": "topic", "any_of": ["c", "a"]}])
    assert found.subscription == {"topics": ["a", "c"]}


@pytest.mark.parametrize(
    ("header", "attribute"),
    [
        ("trace_id", "traceid"),
        ("X-Trace-Id", "xtraceid"),
        ("event_id", "id"),
        ("timestamp", "time"),
        ("source", "source"),
        ("correlation_id", "correlationid"),
    ],
)
def test_a_filter_of_headers_asks_the_envelope(header: str, attribute: str) -> None:
    found = event(event_filters=[{"path": f"headers.{header}", "exists": True}, {"path": "x", "equals": 1}])
    assert found.subscription is not None
    assert found.subscription["where"] == [{"envelope": attribute, "exists": True}, {"path": "x", "equals": 1}]
    assert found.unserved == []


@pytest.mark.parametrize(
    "stated",
    [
        {"path": "x", "equls": 1},
        {"path": "x"},
        {"equals": 1},
        {"path": "x", "any_of": []},
        {"path": "x", "field": "y", "equals": 1},
        {"path": "x", "in": [1], "any_of": [2]},
        {"path": "topic", "equals": "other"},
        {"path": "headers", "exists": True},
        {"path": "headers.__", "exists": True},
    ],
)
def test_no_filter_is_dropped(stated: dict[str, Any]) -> None:
    assert event(event_filters=[stated]).wrong


def test_a_priority_is_held_under_the_ceiling_of_its_source() -> None:
    place = Place("x#/entries/k", Span(Source("x", "")))
    found = saying(event(event_priority=900), place, 5).subscription
    assert found is not None
    assert found.fields["priority"].value == 5
    assert str(found.fields["topics"].at(0)) == "x#/entries/k/topics/0"


# Workflows ---------------------------------------------------------------------------------------------------


def test_nodes_retry_as_they_say_else_as_the_dag_else_as_the_entry() -> None:
    nodes = [{"id": "a", "task": "t", "retry_policy": {"attempts": 2}}, {"id": "b", "task": "t"}]
    whole = flow({"nodes": nodes, "retry_policy": {"attempts": 3}}, retry_policy={"attempts": 4})
    entry = flow({"nodes": nodes}, retry_policy={"attempts": 4})
    for found, wanted in ((whole, [2, 3]), (entry, [2, 4])):
        assert found.workflow is not None
        assert [node["retry"]["attempts"] for node in found.workflow["nodes"].values()] == wanted
        assert found.unserved == []


@given(st.recursive(st.text("${}a.", max_size=8), lambda each: st.lists(each) | st.dictionaries(st.text("ab$"), each)))
def test_a_payload_refers_to_nothing(payload: Any) -> None:
    found = flow({"tasks": [{"key": "a", "task": "t", "payload": {"x": payload}}]}).workflow
    assert found is not None
    assert rendered(found["nodes"]["a"]["with"], {}) == {"x": payload}


async def _order(dag: Mapping[str, Any], slow: str) -> list[str]:
    """The steps of a dag as they end, where one of them takes longest."""
    found = flow(dag).workflow
    assert found is not None
    over: list[str] = []

    async def perform(step: Step) -> None:
        for _ in range(50 if step.name == slow else 1):
            await asyncio.sleep(0)
        over.append(step.name)

    stated: Flow = {"key": "workflow:k", "nodes": found["nodes"], "start_when": found["start_when"]}
    outcome = await interpret(Submission("r", stated, {}), perform)
    assert outcome["state"] == "completed"
    return over


@pytest.mark.parametrize("options", ["default", "fast", "tests", "full_parallel", "full_sequential"])
def test_the_workflow_found_in_production_runs_with_its_barriers(options: str) -> None:
    path = sample("dag-by-options.json")
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    dag = json.loads(path.read_bytes())[options]["dag"]
    by_level = levels({node["id"]: node.get("depends_on", []) for node in dag["nodes"]})
    for slow in (node["id"] for node in dag["nodes"]):
        over = asyncio.run(_order(dag, slow))
        depth = {name: number for number, level in enumerate(by_level) for name in level}
        assert [depth[name] for name in over] == sorted(depth.values())
    if options == "full_parallel":
        over = asyncio.run(_order(dag, "tests"))
        assert over.index("publishing") > over.index("tests")


# The samples -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "flows", "told"),
    [
        ("upstream-sample-manifest.yaml", {"remote-workflow"}, {"remote.event"}),
        ("upstream-sample-manifest-v2.yaml", {"data-pipeline"}, {"webhook.dispatch"}),
        ("upstream-parity-manifest.yaml", {"fastblocks.workflows.fulfillment"}, {"fastblocks.order.created"}),
        ("upstream-exported-manifest.yaml", set[str](), set[str]()),
    ],
)
def test_upstreams_samples_say_what_they_mean(name: str, flows: set[str], told: set[str]) -> None:
    found = {each["key"]: said({word: value for word, value in each.items() if value}) for each in entries(name)}
    assert [wrong for each in found.values() for wrong in each.wrong] == []
    assert {key for key, each in found.items() if each.workflow} == flows
    assert {key for key, each in found.items() if each.subscription} == told


STANDINS = """
class Task:
    async def __call__(self, *, channel: str = "none") -> str:
        return channel


class Handler:
    async def __call__(self, *, event: dict[str, object]) -> None:
        return None
"""


def test_upstreams_sample_compiles_and_runs_with_stand_in_factories(root: Path) -> None:
    chosen = [
        {**each, "factory": "standins:Handler" if each["domain"] == "event" else "standins:Task"}
        for each in entries("upstream-sample-manifest.yaml")
        if each["domain"] in ("task", "event", "workflow")
    ]
    (root / "standins.py").write_text(STANDINS)
    source: dict[str, Any] = {"name": "demo", "address": "https://cdn.example/demo.yaml", "keys": [PUBLIC["a"]]}
    source |= {"allow": ["standins"], "topics": ["demo.*"]}
    (root / "settings/remote.yml").write_text(json.dumps({"sources": [source]}))
    (root / "settings/events.yml").write_text("topics: {demo.user.created: {}, demo.user.updated: {}}\n")
    pin_of(root, "demo", chosen)
    facts = report(root)
    subscription = facts["subscriptions"]["remote.event"]
    assert subscription["topics"] == ["demo.user.created", "demo.user.updated"]
    assert subscription["where"] == [{"path": "environment", "any_of": ["prod", "staging"]}]
    workflow = facts["workflows"]["remote-workflow"]
    assert workflow["levels"] == [["hydrate"], ["notify"]]
    seen: list[tuple[str, Any]] = []

    async def perform(step: Step) -> None:
        seen.append((step.call, step.payload))

    asyncio.run(
        interpret(Submission("r", {"key": "workflow:remote-workflow", "nodes": workflow["nodes"]}, {}), perform)
    )
    assert seen == [("task:remote-task", {}), ("task:remote-task", {"channel": "ops"})]
    source["topics"] = ["demo.user.created"]
    (root / "settings/remote.yml").write_text(json.dumps({"sources": [source]}))
    barred = report(root)["barred"]["demo"]["event:remote.event/remote"]
    assert barred["excluded_by"] == "allowlist"
    assert barred["compared"] == [["demo.user.updated"], ["demo.user.created"]]


def test_one_node_that_is_wrong_makes_the_manifest_unusable(root: Path) -> None:
    entry = {"domain": "workflow", "key": "w", "provider": "p", "factory": "acme:W", "dag": {"nodes": [{"id": "a"}]}}
    pin_of(root, "acme", [entry])
    assert "a node that names no task" in refused(root, "ONE610")


# Whatever is written -----------------------------------------------------------------------------------------

WORDS = st.sampled_from(["path", "field", "equals", "any_of", "in", "exists", "attempts", "base_delay", "jitter", "x"])
VALUES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=3) | st.lists(st.integers())
NODES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "id": st.text("ab.$", max_size=2),
            "key": st.text("ab", max_size=2),
            "task": st.text("t", max_size=2),
            "depends_on": st.lists(st.text("ab", max_size=1)),
            "payload": st.dictionaries(st.text(max_size=2), VALUES),
            "retry_policy": st.dictionaries(WORDS, VALUES),
        },
    )
)


@given(
    st.sampled_from(["event", "workflow", "task", "adapter"]),
    st.fixed_dictionaries(
        {},
        optional={
            "event_topics": st.lists(st.text("ab.* ", min_size=1, max_size=4)),
            "event_filters": st.lists(st.dictionaries(WORDS, VALUES)),
            "event_priority": st.integers(),
            "event_max_concurrency": st.integers(),
            "event_fanout_policy": st.text("a") | st.sampled_from(["broadcast", "exclusive"]),
            "retry_policy": st.dictionaries(WORDS, VALUES),
            "timeout_seconds": st.floats(allow_nan=True),
            "dag": st.fixed_dictionaries({}, optional={"nodes": NODES, "tasks": NODES, "scheduler": st.just({"a": 1})}),
        },
    ),
)
def test_whatever_an_entry_says_is_served_or_told(domain: str, fields: dict[str, Any]) -> None:
    found = said({"domain": domain, "key": "k", "provider": "p", "factory": "f:F", **fields})
    served: set[str] = set()
    if found.subscription:
        served |= {name for name in fields if name.startswith("event_")}
    if found.workflow:
        served |= {"dag", "retry_policy"}
    served |= {"retry_policy"} if "retry" in found.calling else set()
    served |= {"timeout_seconds"} if "timeout" in found.calling else set()
    told = {each.partition(".")[0] for each in found.unserved} | {str(each.path[0]) for each in found.wrong}
    stated = {name for name, value in fields.items() if value not in ([], {})}
    assert stated - served - told == set() or found.wrong
