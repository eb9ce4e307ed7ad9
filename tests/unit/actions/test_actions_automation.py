"""automation.trigger: which rules hold, in upstream's words and in those of workflows, whatever a payload holds."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.actions import InvalidPayload
from oneiric.actions.automation import OPERATORS, AutomationTrigger, trigger
from oneiric.testing.contracts import ActionContract, started

from tests.unit.actions.payloads import HOSTILE, JSON, refused

CONTEXT = {
    "total": 120,
    "name": "Straße 1",
    "due": "2027-02-01",
    "at": "2027-01-01T12:00:00+01:00",
    "tags": ["a", "b"],
    "none": None,
    "flag": True,
    "inner": {"a.b": 1, "list": [{"x": 2}]},
}


class TestTrigger(ActionContract):
    pure = True

    def fresh(self) -> AbstractAsyncContextManager[Any]:
        return started(AutomationTrigger(max_rules=3))

    def payloads(self) -> list[dict[str, Any]]:
        rule = {"name": "one", "action": "x", "payload": {"deep": [1]}, "conditions": [{"path": "total", "above": 1}]}
        return [
            {},
            {"context": CONTEXT, "rules": [rule, {"name": "always"}]},
            {"context": CONTEXT, "rules": [rule, rule], "stop_on_first_match": True},
        ]

    def refused(self) -> list[dict[str, Any]]:
        return [
            {"context": []},
            {"rules": {}},
            {"rules": [1]},
            {"rules": [{}]},
            {"rules": [{"name": ""}]},
            {"rules": [{"name": "a", "nmae": 1}]},
            {"rules": [{"name": "a", "conditions": {}}]},
            {"rules": [{"name": "a", "stop_on_match": 1}]},
            {"rules": [{"name": "a"}] * 4},
            {"stop_on_first_match": "yes"},
        ]


def matches(field: str, operator: str, *value: Any) -> bool:
    condition = {"field": field, "operator": operator, **({"value": value[0]} if value else {})}
    found = trigger(CONTEXT, rules=[{"name": "one", "conditions": [condition]}])
    assert found["status"] == ("matched" if found["matched_rules"] else "no_match")
    return found["status"] == "matched"


@pytest.mark.parametrize(
    ("field", "operator", "value", "holds"),
    [
        ("total", "gt", 100, True),
        ("total", "gt", 120, False),
        ("total", "gte", 120, True),
        ("total", "LTE", 119.5, False),
        ("total", "gt", "100", False),
        ("total", "lt", "900", False),
        ("flag", "equals", 1, False),
        ("flag", "==", True, True),
        ("due", "gt", "2027-01-31", True),
        ("due", "lt", "2027-01-31", False),
        ("at", "lt", "2027-01-01T11:30:00Z", True),
        ("at", "after", "2027-01-01T11:30:00Z", False),
        ("name", "gt", "Aachen", True),
        ("name", "contains", "aße", True),
        ("name", "contains", ".", False),
        ("name", "starts_with", "Str", True),
        ("name", "ends_with", "1", True),
        ("name", "matches", r"^\w+ \d$", True),
        ("tags", "contains", "b", True),
        ("tags", "contains", "c", False),
        ("tags", "in", [["a", "b"]], True),
        ("total", "in", [1, 120.0], True),
        ("total", "not_in", [1], True),
        ("missing", "not_in", [1], True),
        ("missing", "equals", None, False),
        ("none", "equals", None, True),
        ("missing", "ne", 1, True),
        ("missing", "gte", 0, False),
        ("missing", "lte", 0, False),
        ("inner['a.b']", "eq", 1, True),
        ("inner.list[0].x", "eq", 2, True),
        ("none", "exists", True, True),
        ("missing", "exists", False, True),
    ],
)  # fmt: skip
def test_an_operator_asks_what_its_name_says(field: str, operator: str, value: Any, holds: bool) -> None:
    assert matches(field, operator, value) is holds


def test_what_is_there_is_asked_without_a_value() -> None:
    assert matches("none", "exists")
    assert matches("missing", "missing")
    assert not matches("none", "not_exists")
    empty = trigger(
        {"tags": []}, rules=[{"name": "a", "conditions": [{"field": "tags", "operator": "contains", "value": []}]}]
    )
    assert empty["status"] == "no_match"


def test_rules_are_looked_at_until_one_says_stop() -> None:
    rules: list[dict[str, Any]] = [
        {"name": "never", "conditions": [{"field": "x", "operator": "exists"}]},
        {"name": "one", "action": "act", "payload": {"a": 1}, "stop_on_match": True},
        {"name": "two"},
    ]
    assert trigger({}, rules=rules) == {
        "status": "matched",
        "matched_rules": [{"name": "one", "action": "act", "payload": {"a": 1}}],
        "evaluated_rules": 2,
        "context": {},
    }
    assert trigger({}, rules=[{**each, "stop_on_match": False} for each in rules])["evaluated_rules"] == 3
    assert trigger({}, rules=[rules[2], rules[1]], stop_on_first_match=True)["evaluated_rules"] == 1


@pytest.mark.parametrize(
    ("condition", "field"),
    [
        ({"field": "a", "operator": "equal", "value": 1}, "operator"),
        ({"field": "a", "operator": "gt"}, "value"),
        ({"field": "a", "operator": "gt", "value": True}, "value"),
        ({"field": "a", "operator": "in", "value": "a"}, "value"),
        ({"field": "a", "operator": "in", "value": []}, "value"),
        ({"field": "a", "operator": "matches", "value": "("}, "value"),
        ({"field": "a", "operator": "starts_with", "value": 1}, "value"),
        ({"field": "a..b", "operator": "eq", "value": 1}, "field"),
        ({"field": "a", "op": "eq", "value": 1}, "op"),
        ({"path": "a", "equal": 1}, "equal"),
        ({"any": []}, "any"),
    ],
)
def test_a_condition_that_says_nothing_is_refused_by_its_place(condition: Any, field: str) -> None:
    rules = [{"name": "good"}, {"name": "bad", "conditions": [{"path": "a", "exists": True}, condition]}]
    refused(f"rules[1].conditions[1].{field}", trigger, rules=rules)


def test_hostile_values_are_refused_or_match_nothing() -> None:
    for operator, value in product(OPERATORS, HOSTILE):
        condition = {"field": "total", "operator": operator, "value": value}
        try:
            trigger({"total": 1}, rules=[{"name": "a", "conditions": [condition]}])
        except InvalidPayload as error:
            assert error.field is not None and error.field.startswith("rules[0]")


@given(value=JSON, wanted=JSON, operator=st.sampled_from([*OPERATORS]))
def test_any_value_is_compared_or_refused_and_both_spellings_agree(value: Any, wanted: Any, operator: str) -> None:
    condition = {"field": "x", "operator": operator, "value": wanted}
    try:
        found = trigger({"x": value}, rules=[{"name": "a", "conditions": [condition]}])
    except InvalidPayload:
        return
    if operator == "contains" and isinstance(value, list):
        return
    stated = OPERATORS[operator]("x", wanted)
    assert trigger({"x": value}, rules=[{"name": "a", "conditions": [stated]}])["status"] == found["status"]
