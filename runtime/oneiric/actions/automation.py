"""The action `automation.trigger`: which rules hold of a context."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NotRequired, Protocol, TypeAlias, TypedDict, cast

from oneiric import component
from oneiric.actions import Json
from oneiric.actions._payload import Fields, payload_of, settings_of
from oneiric.flows.conditions import faults, holds
from oneiric.flows.model import Condition
from oneiric.flows.paths import found, is_list, parsed

_KEY: Final = "automation.trigger"
_MOST_RULES = 1000
_RULE = ("name", "action", "payload", "conditions", "stop_on_match")

Rule: TypeAlias = "Mapping[str, Json]"


class Matched(TypedDict):
    """A rule whose conditions all hold.

    `name`: its name.
    `action`: what it is for.
    `payload`: what it hands on.
    """

    name: str
    action: str | None
    payload: dict[str, Json]


class Triggered(TypedDict):
    """The rules that hold.

    `status`: `matched`, or `no_match`.
    `matched_rules`: the rules that hold, in their order.
    `evaluated_rules`: how many were looked at.
    `context`: as given.
    """

    status: str
    matched_rules: list[Matched]
    evaluated_rules: int
    context: dict[str, Json]


class RuleGiven(TypedDict):
    """A rule.

    `name`: what it is called.
    `action`: what it is for, handed on as it is.
    `payload`: what it hands on.
    `conditions`: what has to hold, all of it; none always hold.
    `stop_on_match`: whether no further rule is looked at where it holds.
    """

    name: str
    action: NotRequired[str | None]
    payload: NotRequired[dict[str, Json]]
    conditions: NotRequired[list[dict[str, Json]]]
    stop_on_match: NotRequired[bool]


class Trigger(Protocol):
    """Says which rules hold of a context; what comes of them is up to whoever asks.

    `context`: what the rules are about.
    `rules`: the rules, in the order in which they are looked at.
    `stop_on_first_match`: whether the first rule that holds is the only one.
    """

    async def __call__(
        self,
        *,
        context: Mapping[str, Json] | None = None,
        rules: list[RuleGiven] | None = None,
        stop_on_first_match: bool = False,
    ) -> Triggered: ...


def trigger(
    context: Mapping[str, Json] | None = None,
    *,
    rules: Sequence[Rule] | None = None,
    stop_on_first_match: bool = False,
    max_rules: int = 20,
) -> Triggered:
    """As the action `automation.trigger`. Raises `InvalidPayload`, with the place of a condition that says nothing."""
    checks = payload_of(_KEY)
    about = checks.mapping("context", {} if context is None else context)
    only_one = checks.boolean("stop_on_first_match", stop_on_first_match)
    stated = [_rule(checks, f"rules[{number}]", each) for number, each in enumerate(_rules(checks, rules, max_rules))]
    matched: list[Matched] = []
    looked_at = 0
    for rule in stated:
        looked_at += 1
        conditions = [_asked(each, about) for each in rule["conditions"]]
        if holds(conditions, about):
            matched.append({"name": rule["name"], "action": rule["action"], "payload": rule["payload"]})
            if only_one or rule["stop_on_match"]:
                break
    return {
        "status": "matched" if matched else "no_match",
        "matched_rules": matched,
        "evaluated_rules": looked_at,
        "context": about,
    }


def _rules(checks: Fields, rules: Any, most: int) -> list[Any]:
    if rules is None:
        return []
    if not isinstance(rules, list | tuple):
        raise checks.wrong("rules", "is not a list of rules")
    several = cast("list[Any]", rules)
    if len(several) > most:
        raise checks.wrong("rules", f"has {len(several)} rules, and {most} are allowed")
    return list(several)


def _rule(checks: Fields, field: str, rule: Any) -> dict[str, Any]:
    given = checks.mapping(field, rule)
    for name in given:
        if name not in _RULE:
            raise checks.wrong(f"{field}.{name}", f"is none of {', '.join(_RULE)}")
    if "name" not in given:
        raise checks.wrong(f"{field}.name", "is missing")
    action = given.get("action")
    conditions = given.get("conditions")
    if conditions is not None and not is_list(conditions):
        raise checks.wrong(f"{field}.conditions", "is not a list of conditions")
    return {
        "name": checks.text(f"{field}.name", given["name"], empty=False),
        "action": None if action is None else checks.text(f"{field}.action", action, empty=False),
        "payload": checks.mapping(f"{field}.payload", {} if given.get("payload") is None else given["payload"]),
        "conditions": [
            _condition(checks, f"{field}.conditions[{number}]", each) for number, each in enumerate(conditions or ())
        ],
        "stop_on_match": checks.boolean(f"{field}.stop_on_match", given.get("stop_on_match", False)),
    }


def _condition(checks: Fields, field: str, condition: Any) -> Condition:
    """A condition as it is stated, in the words of workflows or in those of upstream, if it says something."""
    stated = checks.mapping(field, condition)
    if "field" not in stated:
        for at, why in faults(stated):
            raise checks.wrong(_within(field, at), why)
        return stated
    for name in stated:
        if name not in ("field", "operator", "value"):
            raise checks.wrong(f"{field}.{name}", "is none of field, operator, value")
    path = checks.text(f"{field}.field", stated["field"], empty=False)
    try:
        parsed(path)
    except ValueError as error:
        raise checks.wrong(f"{field}.field", f"is not a path: {error}") from None
    operator = checks.text(f"{field}.operator", stated.get("operator", "equals"))
    if operator.lower() not in OPERATORS:
        raise checks.wrong(f"{field}.operator", f"is one of {', '.join(OPERATORS)}, and this one is not")
    if "value" not in stated and operator.lower() not in _WITHOUT_VALUE:
        raise checks.wrong(f"{field}.value", "is missing")
    value = stated.get("value")
    if operator.lower() in _TEXT and not isinstance(value, str):
        raise checks.wrong(f"{field}.value", "is not a text")
    for at, why in faults(OPERATORS[operator.lower()](path, value)):
        raise checks.wrong(f"{field}.value", f"cannot be asked for: {why}" if at else why)
    return stated


def _within(field: str, at: tuple[str | int, ...]) -> str:
    return field + "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in at)


def _asked(stated: Condition, about: Json) -> Condition:
    """A condition in the words of workflows."""
    if "field" not in stated:
        return stated
    path, operator = stated["field"], stated.get("operator", "equals").lower()
    if operator == "contains" and is_list(listed := found(about, parsed(path))):
        places = [{"path": f"{path}[{index}]", "equals": stated["value"]} for index in range(len(listed))]
        return {"any": places} if places else {"path": f"{path}[0]", "exists": True}
    return OPERATORS[operator](path, stated.get("value"))


_Made: TypeAlias = Callable[[str, Any], dict[str, Any]]


def _not(made: _Made) -> _Made:
    return lambda path, value: {"not": made(path, value)}


def _one(name: str) -> _Made:
    return lambda path, value: {"path": path, name: value}


def _or_equal(name: str) -> _Made:
    return lambda path, value: {"any": [{"path": path, name: value}, {"path": path, "equals": value}]}


def _exists(path: str, value: Any) -> dict[str, Any]:
    return {"path": path, "exists": True if value is None else value}


def _text(pattern: str) -> _Made:
    return lambda path, value: {"path": path, "matches": pattern.format(re.escape(str(value)))}


OPERATORS: Final[Mapping[str, _Made]] = {
    **dict.fromkeys(("equals", "eq", "=="), _one("equals")),
    **dict.fromkeys(("not_equals", "ne", "neq", "!="), _not(_one("equals"))),
    **dict.fromkeys(("greater_than", "gt", ">", "above", "after"), _one("above")),
    **dict.fromkeys(("less_than", "lt", "<", "below", "before"), _one("below")),
    **dict.fromkeys(("greater_or_equal", "gte", "ge", ">="), _or_equal("above")),
    **dict.fromkeys(("less_or_equal", "lte", "le", "<="), _or_equal("below")),
    **dict.fromkeys(("in", "any_of", "one_of"), _one("any_of")),
    **dict.fromkeys(("not_in", "none_of"), _not(_one("any_of"))),
    "exists": _exists,
    **dict.fromkeys(("not_exists", "missing"), lambda path, value: {"path": path, "exists": False}),
    **dict.fromkeys(("matches", "regex"), _one("matches")),
    "contains": _text("{}"),
    **dict.fromkeys(("starts_with", "startswith"), _text("^{}")),
    **dict.fromkeys(("ends_with", "endswith"), _text(r"{}\Z")),
}
"""Upstream's words for what is asked of a field, and those that its users write for them."""
_WITHOUT_VALUE = frozenset(("exists", "not_exists", "missing"))
_TEXT = frozenset(("starts_with", "startswith", "ends_with", "endswith"))


@component(
    "action",
    "automation.trigger",
    provider="builtin-automation-trigger",
    priority=0,
    stack_level=-10,
    capabilities=("trigger", "rules", "selection"),
    port="oneiric.actions.automation:Trigger",
)
class AutomationTrigger:
    """Says which rules hold of a context.

    `max_rules`: how many rules a payload has at most.
    """

    def __init__(self, *, max_rules: int = 20) -> None:
        checks = settings_of(_KEY, "builtin-automation-trigger")
        self._most = checks.integer("max_rules", max_rules, 1, _MOST_RULES)

    async def __call__(
        self,
        *,
        context: Mapping[str, Json] | None = None,
        rules: list[RuleGiven] | None = None,
        stop_on_first_match: bool = False,
    ) -> Triggered:
        stated = cast("Sequence[Rule] | None", rules)
        return trigger(context, rules=stated, stop_on_first_match=stop_on_first_match, max_rules=self._most)
