"""What templates, conditions and attempts come to, also for what is missing, malformed or without end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.flows.attempts import attempted, wait_after
from oneiric.flows.conditions import faults, holds
from oneiric.flows.model import Retry, Step, StepFailed, Unserved
from oneiric.flows.references import Missing, parts, references, rendered

SCOPE = {
    "input": {"id": 7, "name": "x", "null": None, "lines": [{"cents": 5}], "a b": 1},
    "a.b": {"x": True},
    "item": [1],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${input.id}", 7),
        ("${input}", SCOPE["input"]),
        ("${input.lines[0].cents}", 5),
        ("${input.lines[-1].cents}", 5),
        ("${input['a b']}", 1),
        ("${nodes['a.b'].x}", True),
        ("${item[0]}", 1),
        ("${input.null:-1}", None),
        ("${input.none:-null}", None),
        ('${input.none:-{"a": [1]}}', {"a": [1]}),
        ("${input.none:-}", ""),
        ("${input.none:-as it is}", "as it is"),
        ("${other.id:-0}", 0),
        ("id ${input.id}: ${input.lines}, ${input.name}", 'id 7: [{"cents": 5}], x'),
        ("$${input.id} is ${input.id}", "${input.id} is 7"),
        ("$${", "${"),
        ({"a": ["${input.id}", 1, None]}, {"a": [7, 1, None]}),
    ],
)
def test_a_template_becomes_its_values(template: Any, value: Any) -> None:
    assert rendered(template, SCOPE) == value


@pytest.mark.parametrize(
    "text", ["${input.none}", "${other}", "${input.lines[1]}", "${input.id.x}", "x ${input.lines.cents}"]
)
def test_what_is_missing_is_told(text: str) -> None:
    with pytest.raises(Missing):
        rendered(text, SCOPE)


@pytest.mark.parametrize(
    "text", ["${", "${}", "${input.}", "${input..x}", "${[0].x}", "${a b}", "${input[x]}", "${${input}}"]
)
def test_what_is_no_reference_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"reference|index"):
        parts(text)


@given(JSON)
def test_a_value_without_references_stays_as_it_is(value: Any) -> None:
    assert rendered(json.loads(json.dumps(value).replace("$", "S")), {}) == json.loads(
        json.dumps(value).replace("$", "S")
    )


@given(JSON)
def test_a_whole_reference_keeps_any_value(value: Any) -> None:
    assert rendered("${input}", {"input": value}) == value
    assert list(references({"a": ["${input.x}"]})) == [(("a", 0), parts("${input.x}")[0])]


CONDITIONS: list[tuple[dict[str, Any], bool]] = [
    ({"path": "country", "equals": "DE"}, True),
    ({"path": "country", "any_of": ["AT", "DE"]}, True),
    ({"path": "country", "any_of": ["AT"]}, False),
    ({"path": "lines[0].cents", "above": 4, "below": 6}, True),
    ({"path": "lines[0].cents", "above": 5}, False),
    ({"path": "yes", "equals": 1}, False),
    ({"path": "one", "equals": 1.0}, True),
    ({"path": "one", "equals": True}, False),
    ({"path": "null", "equals": None}, True),
    ({"path": "null", "exists": True}, True),
    ({"path": "none", "equals": None}, False),
    ({"path": "none", "exists": False}, True),
    ({"path": "none", "above": 0}, False),
    ({"path": "none", "below": 0}, False),
    ({"path": "none", "matches": ""}, False),
    ({"not": {"path": "none", "equals": 1}}, True),
    ({"any": [{"path": "none", "equals": 1}, {"path": "country", "matches": "^D"}]}, True),
    ({"path": "at", "above": "2026-01-01T12:00:00+02:00"}, True),
    ({"path": "at", "above": "2026-01-01T11:00:00+00:00"}, False),
    ({"path": "day", "below": "2026-02-01"}, True),
    ({"path": "country", "above": 1}, False),
    ({"path": "yes", "above": 0}, False),
    ({"path": "lines", "equals": [{"cents": 5.0}]}, True),
    ({"path": "lines", "equals": [{"cents": True}]}, False),
]
EVENT = {
    "country": "DE", "lines": [{"cents": 5}], "yes": True, "one": 1, "null": None,
    "at": "2026-01-01T11:00:00Z", "day": "2026-01-31",
}  # fmt: skip


@pytest.mark.parametrize(("condition", "held"), CONDITIONS)
def test_a_condition_holds_or_not(condition: dict[str, Any], held: bool) -> None:
    assert list(faults(condition)) == []
    assert holds([condition], EVENT) is held
    assert holds([{"not": condition}], EVENT) is not held


@pytest.mark.parametrize(
    ("condition", "at"),
    [
        ("x", ()),
        ({}, ()),
        ({"path": 1, "equals": 1}, ("path",)),
        ({"path": "a..b", "equals": 1}, ("path",)),
        ({"path": "a"}, ()),
        ({"path": "a", "equal": 1}, ("equal",)),
        ({"path": "a", "any_of": []}, ("any_of",)),
        ({"path": "a", "any_of": "DE"}, ("any_of",)),
        ({"path": "a", "exists": "yes"}, ("exists",)),
        ({"path": "a", "above": None}, ("above",)),
        ({"path": "a", "matches": "("}, ("matches",)),
        ({"any": []}, ("any",)),
        ({"any": [{"path": "a", "equals": 1}, {"path": "a"}]}, ("any", 1)),
        ({"not": {"path": "a", "equal": 1}}, ("not", "equal")),
        ({"not": {"path": "a", "exists": True}, "path": "b"}, ("path",)),
    ],
)
def test_a_wrong_condition_is_told_at_its_place(condition: Any, at: tuple[Any, ...]) -> None:
    assert [found for found, _ in faults(condition)] == [at]


def retry(**stated: Any) -> Retry:
    whole: Any = {"attempts": 3, "delay": 1.0, "max": 60.0, "jitter": 0.25, **stated}
    return whole


@given(st.integers(1, 5000), st.floats(0, 1), st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1))
def test_waits_double_and_never_pass_their_most(
    attempt: int, share: float, delay: float, most: float, jitter: float
) -> None:
    wait = wait_after(retry(delay=delay, max=most, jitter=jitter), attempt, share)
    whole = min(delay * 2.0 ** min(attempt - 1, 60), most)
    assert whole * (1 - jitter) * 0.999999 <= wait <= whole


def _step(**stated: Any) -> Step:
    return Step("run", 0, "charge", "task:it", {}, **stated)


def test_attempts_count_calls_and_the_last_error_is_told() -> None:
    made: list[int] = []

    async def call() -> None:
        made.append(1)
        raise KeyError(len(made))

    with pytest.raises(StepFailed) as failed:
        asyncio.run(attempted(_step(retry=retry(delay=0.0)), call))
    assert len(made) == 3
    assert (failed.value.type, failed.value.message, failed.value.attempts) == ("KeyError", "3", 3)


def test_a_call_that_takes_too_long_is_another_attempt() -> None:
    made: list[int] = []

    async def call() -> str:
        made.append(1)
        if len(made) < 3:
            await asyncio.sleep(60)
        return "done"

    assert asyncio.run(attempted(_step(retry=retry(delay=0.0), timeout=0.01), call)) == "done"
    with pytest.raises(StepFailed, match=r"TimeoutError: not over after 0\.01 s"):
        asyncio.run(attempted(_step(timeout=0.01), lambda: asyncio.sleep(60)))


def test_what_is_not_served_is_asked_for_once() -> None:
    made: list[int] = []

    async def call() -> None:
        made.append(1)
        raise Unserved("no task:it")

    with pytest.raises(Unserved):
        asyncio.run(attempted(_step(retry=retry()), call))
    assert len(made) == 1


def test_a_cancellation_ends_the_wait_at_once() -> None:
    async def main() -> None:
        async def call() -> None:
            raise KeyError

        going = asyncio.ensure_future(attempted(_step(retry=retry(delay=60.0, jitter=0.0)), call))
        await asyncio.sleep(0.01)
        going.cancel()
        async with asyncio.timeout(5):
            with pytest.raises(asyncio.CancelledError):
                await going

    asyncio.run(main())
