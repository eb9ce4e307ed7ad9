"""A flow is run by its dependencies, whatever its steps come to and in whatever order they are over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oneiric.flows.graph import cycle, levels
from oneiric.flows.interpreter import interpret
from oneiric.flows.model import Flow, Node, Outcome, Step, StepFailed, Submission, Unserved


class Steps:
    """Performs steps in the order that `pick` chooses among those under way."""

    def __init__(self, fails: Sequence[str] = (), pick: Sequence[int] = (), results: Mapping[str, Any] | None = None):
        self.fails = fails
        self.pick = list(pick)
        self.results = results or {}
        self.begun: list[str] = []
        self.over: list[str] = []
        self.steps: dict[str, Step] = {}
        self.under_way: dict[str, asyncio.Event] = {}
        self.most = 0

    async def __call__(self, step: Step) -> Any:
        self.begun.append(step.name)
        self.steps[step.name] = step
        self.under_way[step.name] = let = asyncio.Event()
        self.most = max(self.most, len(self.under_way))
        try:
            await let.wait()
        finally:
            del self.under_way[step.name]
        self.over.append(step.name)
        if step.name in self.fails:
            raise StepFailed(step.name, "Broken", "it broke", step.retry["attempts"])
        return self.results.get(step.name, step.name)

    async def go(self) -> None:
        while True:
            await asyncio.sleep(0)
            if self.under_way:
                names = sorted(self.under_way)
                chosen = self.pick.pop() if self.pick else 0
                self.under_way[names[chosen % len(names)]].set()


def run(nodes: Mapping[str, Any], steps: Steps, payload: Any = None, **flow: Any) -> Outcome:
    whole: Flow = {"key": "workflow:it", "nodes": {name: _node(node) for name, node in nodes.items()}, **flow}  # type: ignore[typeddict-item]

    async def main() -> Outcome:
        going = asyncio.ensure_future(steps.go())
        try:
            async with asyncio.timeout(20):
                return await interpret(Submission("run", whole, payload or {}), steps)
        finally:
            going.cancel()

    return asyncio.run(main())


def _node(node: Mapping[str, Any]) -> Node:
    whole: Any = {"call": "task:it", "after": (), **node}
    return whole


def states(outcome: Outcome) -> dict[str, str]:
    return {name: node["state"] for name, node in outcome["nodes"].items()}


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    names = [f"n{number}" for number in range(draw(st.integers(1, 7)))]
    return {
        name: tuple(draw(st.lists(st.sampled_from(names[:at]), unique=True)) if at else ())
        for at, name in enumerate(names)
    }


def reached(after: Mapping[str, Sequence[str]], name: str) -> set[str]:
    """All that a node waits for, also through others."""
    return {each for direct in after[name] for each in (direct, *reached(after, direct))}


@settings(max_examples=150, deadline=None)
@given(graphs(), st.lists(st.integers(0, 9), max_size=12), st.booleans())
def test_a_node_begins_when_all_it_waits_for_is_over_and_no_later(
    after: dict[str, tuple[str, ...]], pick: list[int], by_level: bool
) -> None:
    steps = Steps(pick=pick)
    outcome = run(
        {name: {"after": each} for name, each in after.items()}, steps, **({"start_when": "level"} if by_level else {})
    )
    assert set(states(outcome).values()) == {"completed"} and sorted(steps.begun) == sorted(after)
    depth = {name: at for at, level in enumerate(levels(after)) for name in level}
    for name in after:
        waited = {each for each in after if depth[each] < depth[name]} if by_level else reached(after, name)
        assert waited <= set(steps.over[: steps.over.index(name)])
    assert {name: step.number for name, step in steps.steps.items()} == {name: at for at, name in enumerate(after)}


@settings(max_examples=150, deadline=None)
@given(graphs(), st.lists(st.integers(0, 9), max_size=12), st.data())
def test_after_a_failure_nothing_begins_and_what_is_under_way_is_finished(
    after: dict[str, tuple[str, ...]], pick: list[int], data: st.DataObject
) -> None:
    fails = data.draw(st.lists(st.sampled_from(sorted(after)), min_size=1, unique=True))
    steps = Steps(fails, pick)
    outcome = run({name: {"after": each} for name, each in after.items()}, steps)
    found = states(outcome)
    assert outcome["state"] == "failed" and outcome["result"] is None
    assert (
        sorted(steps.begun) == sorted(steps.over) == sorted(name for name, state in found.items() if state != "pending")
    )
    first = next(at for at, name in enumerate(steps.over) if name in fails)
    begun_before = [name for name in steps.begun if all(each in steps.over[:first] for each in after[name])]
    assert sorted(begun_before) == sorted(steps.begun)
    assert [error["node"] for error in outcome["errors"]] == [name for name in after if found[name] == "failed"]


@given(
    st.dictionaries(st.sampled_from("abcde"), st.lists(st.sampled_from("abcde"), unique=True, max_size=3), min_size=1)
)
def test_a_circle_is_found_where_there_is_one(after: dict[str, list[str]]) -> None:
    after = {name: [each for each in waits if each in after] for name, waits in after.items()}
    found = cycle(after)

    def loops(name: str, seen: tuple[str, ...]) -> bool:
        return name in seen or any(loops(each, (*seen, name)) for each in after[name])

    assert bool(found) == any(loops(name, ()) for name in after)
    if found:
        assert found[0] == found[-1]
        assert all(other in after[one] for one, other in pairwise(found))


def test_results_are_handed_on_and_come_out() -> None:
    nodes = {
        "reserve": {"with": {"order": "${input.id}", "note": "order ${input.id}: ${input.lines}"}},
        "charge": {"with": {"cents": "${reserve.cents}", "tip": "${input.tip:-0}"}, "after": ("reserve",)},
    }
    steps = Steps(results={"reserve": {"cents": 250}, "charge": {"id": "c1"}})
    result = {"charge": "${charge.id:-null}", "plain": "$${input}", "all": ["${charge}"]}
    outcome = run(nodes, steps, {"id": 7, "lines": [1, None]}, result=result)
    assert steps.steps["reserve"].payload == {"order": 7, "note": "order 7: [1, null]"}
    assert steps.steps["charge"].payload == {"cents": 250, "tip": 0}
    assert outcome["result"] == {"charge": "c1", "plain": "${input}", "all": [{"id": "c1"}]}
    assert steps.steps["charge"].token == "run/charge"


def test_what_needs_a_skipped_node_is_skipped_with_it() -> None:
    nodes = {
        "gift": {"when": [{"path": "input.gift", "equals": True}]},
        "wrap": {"with": {"what": "${gift.id}"}, "after": ("gift",)},
        "pack": {"with": {"what": "${gift.id:-plain}"}, "after": ("gift",)},
        "send": {"after": ("wrap", "pack")},
    }
    steps = Steps()
    outcome = run(nodes, steps, {"gift": False})
    assert states(outcome) == {"gift": "skipped", "wrap": "skipped", "pack": "completed", "send": "completed"}
    assert steps.steps["pack"].payload == {"what": "plain"}


def test_a_flow_goes_on_after_a_node_that_may_fail() -> None:
    nodes = {
        "mail": {"on_error": "continue"},
        "note": {"with": {"id": "${mail.id}"}, "after": ("mail",)},
        "done": {"after": ("note",)},
    }
    outcome = run(nodes, Steps(["mail"]), result={"mail": "${mail:-null}"})
    assert (outcome["state"], outcome["result"]) == ("completed", {"mail": None})
    assert states(outcome) == {"mail": "failed", "note": "skipped", "done": "completed"}
    assert [error["node"] for error in outcome["errors"]] == ["mail"]


def test_a_missing_value_fails_its_node_by_name() -> None:
    outcome = run({"one": {"with": {"x": "${input.nope.y}"}}}, Steps(), {})
    assert outcome["errors"] == [
        {"node": "one", "type": "Missing", "message": "there is no `input.nope.y`", "attempts": 0}
    ]


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 6),
    st.integers(1, 4),
    st.sets(st.integers(0, 5)),
    st.booleans(),
    st.lists(st.integers(0, 9), max_size=9),
)
def test_a_list_is_done_so_many_at_a_time_and_comes_out_in_its_order(
    number: int, at_once: int, failing: set[int], goes_on: bool, pick: list[int]
) -> None:
    fails = [f"each[{index}]" for index in failing if index < number]
    node = {"for_each": "${input.items}", "most": 6, "at_once": at_once, "with": {"it": "${item}"}}
    steps = Steps(fails, pick)
    nodes = {"each": {**node, **({"on_error": "continue"} if goes_on else {})}, "last": {"after": ("each",)}}
    outcome = run(nodes, steps, {"items": [{"n": index} for index in range(number)]}, result="${each:-null}")
    assert steps.most <= at_once
    assert steps.steps.get("last", None) is None or steps.steps["last"].number == 6
    if fails and not goes_on:
        assert outcome["state"] == "failed" and "last" not in steps.begun
        assert {error["node"] for error in outcome["errors"]} <= set(fails)
    else:
        broken = {"error": {"type": "Broken", "message": "it broke"}}
        assert outcome["result"] == [broken if f"each[{at}]" in fails else f"each[{at}]" for at in range(number)]
        assert [step.number for name, step in steps.steps.items() if name != "last"] == list(range(number))


@pytest.mark.parametrize(
    ("items", "why"),
    [([1, 2, 3], "3 items are more than the `most` of 2"), ("ab", "no list but a text"), (None, "no list but null")],
)
def test_a_list_that_is_none_or_too_long_fails_before_anything_starts(items: Any, why: str) -> None:
    steps = Steps()
    outcome = run({"each": {"for_each": "${input.items}", "most": 2}}, steps, {"items": items})
    assert not steps.begun and why in outcome["errors"][0]["message"]


def test_what_is_not_served_lets_the_others_finish_and_parks_the_run() -> None:
    steps = Steps()

    async def perform(step: Step) -> Any:
        if step.name == "lost":
            raise Unserved("no task:it")
        return await steps(step)

    async def main() -> None:
        going = asyncio.ensure_future(steps.go())
        nodes = {"lost": _node({}), "found": _node({}), "later": _node({"after": ("found",)})}
        with pytest.raises(Unserved):
            await interpret(Submission("run", {"key": "workflow:it", "nodes": nodes}, {}), perform)
        going.cancel()

    asyncio.run(main())
    assert steps.over == ["found"]


def test_a_cancelled_run_leaves_nothing_under_way() -> None:
    steps = Steps()

    async def main() -> None:
        nodes = {name: _node({"for_each": "${input.all}", "most": 3}) for name in "ab"}
        going = asyncio.ensure_future(
            interpret(Submission("run", {"key": "k", "nodes": nodes}, {"all": [1, 2]}), steps)
        )
        while len(steps.under_way) < 4:
            await asyncio.sleep(0)
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going
        assert not steps.under_way and len(asyncio.all_tasks()) == 1

    asyncio.run(main())
