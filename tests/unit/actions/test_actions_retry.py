"""workflow.retry: waits that grow, within their bounds whatever the attempt."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.actions import ActionMisconfigured
from oneiric.actions.retry import Retrying, retry
from oneiric.testing.contracts import ActionContract, started

from tests.unit.actions.payloads import refused

NUMBERS = ("base_delay_seconds", "multiplier", "max_delay_seconds", "jitter")


class TestRetrying(ActionContract):
    def fresh(self) -> AbstractAsyncContextManager[Any]:
        return started(Retrying(max_attempts=5))

    def payloads(self) -> list[dict[str, Any]]:
        return [{}, {"attempt": 4}, {"attempt": 5}, {"attempt": 2000, "max_attempts": 9999, "jitter": 0}]

    def refused(self) -> list[dict[str, Any]]:
        return [
            {"attempt": -1},
            {"attempt": True},
            {"attempt": 1.0},
            {"attempt": 10**10},
            {"max_attempts": 0},
            {"base_delay_seconds": -1},
            {"base_delay_seconds": "1"},
            {"multiplier": 0.5},
            {"max_delay_seconds": float("inf")},
            {"jitter": 1.1},
            {"jitter": float("nan")},
        ]


def test_waits_double_up_to_the_longest() -> None:
    waits = [retry(attempt=each, max_attempts=9, jitter=0)["delay_seconds"] for each in range(8)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert retry(attempt=3) == {"attempt": 3, "max_attempts": 3, "status": "exhausted"}
    assert retry()["next_attempt"] == 1


@given(
    attempt=st.integers(0, 10**9),
    base=st.floats(0, 10**9),
    factor=st.floats(1, 10**9),
    longest=st.floats(0, 10**9),
    jitter=st.floats(0, 1),
)
def test_a_wait_is_within_its_bounds(attempt: int, base: float, factor: float, longest: float, jitter: float) -> None:
    told = retry(
        attempt=attempt,
        max_attempts=10**9,
        base_delay_seconds=base,
        multiplier=factor,
        max_delay_seconds=longest,
        jitter=jitter,
    )
    if attempt < 10**9:
        assert (1 - jitter) * min(base, longest) <= told["delay_seconds"] <= longest
    json.dumps(told, allow_nan=False)


def test_chance_makes_waits_shorter_and_differ() -> None:
    assert [retry(attempt=1, jitter=0.5, share=share)["delay_seconds"] for share in (0, 0.5, 1)] == [2, 1.5, 1]
    waits = {retry(attempt=1, jitter=0.5)["delay_seconds"] for _ in range(100)}
    assert len(waits) > 50 and max(waits) <= 2 and min(waits) >= 1


def test_a_payload_overrides_the_settings() -> None:
    async def story() -> None:
        action = Retrying(max_attempts=1, base_delay_seconds=3, multiplier=10, max_delay_seconds=5, jitter=0)
        assert (await action(attempt=1))["status"] == "exhausted"
        assert (await action())["delay_seconds"] == 3
        assert (await action(attempt=1, max_attempts=2))["delay_seconds"] == 5
        assert (await action(attempt=1, max_attempts=2, max_delay_seconds=99))["delay_seconds"] == 30

    asyncio.run(story())


def test_what_is_no_number_is_refused() -> None:
    for field in NUMBERS:
        for bad in (True, "1", None, [], float("nan"), float("inf"), -1, 10**5000):
            refused(field, retry, **{field: bad})
            with pytest.raises(ActionMisconfigured) as caught:
                Retrying(**{field: bad})
            assert caught.value.setting == field
