"""task.schedule: the runs to come, over both nights that zones change in, in leap years, within start and end."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.actions import ActionMisconfigured
from oneiric.actions.schedule import TaskPlanner, plan
from oneiric.testing.contracts import ActionContract, started

from tests.unit.actions.payloads import HOSTILE, refused

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class TestSchedule(ActionContract):
    def fresh(self) -> AbstractAsyncContextManager[Any]:
        return started(TaskPlanner(timezone="Europe/Berlin"))

    def payloads(self) -> list[dict[str, Any]]:
        return [
            {"task_type": "a", "cron_expression": "*/5 * * * *", "payload": {"x": [1]}, "tags": ["t"]},
            {"task_type": "a", "interval_seconds": 900, "preview_runs": 0},
            {"task_type": "a", "interval_seconds": 1, "end_time": "2020-01-01T00:00:00Z"},
        ]

    def refused(self) -> list[dict[str, Any]]:
        return [
            {"task_type": "", "interval_seconds": 1},
            {"task_type": "a"},
            {"task_type": "a", "interval_seconds": 1, "cron_expression": "* * * * *"},
            {"task_type": "a", "interval_seconds": 0},
            {"task_type": "a", "interval_seconds": True},
            {"task_type": "a", "interval_seconds": float("nan")},
            {"task_type": "a", "cron_expression": "* * * *"},
            {"task_type": "a", "cron_expression": "* * * * * *"},
            {"task_type": "a", "cron_expression": "61 * * * *"},
            {"task_type": "a", "cron_expression": "0 0 30 2 *"},
            {"task_type": "a", "cron_expression": "@reboot"},
            {"task_type": "a", "interval_seconds": 1, "timezone": "Europe/Nowhere"},
            {"task_type": "a", "interval_seconds": 1, "timezone": "../../etc/passwd"},
            {"task_type": "a", "interval_seconds": 1, "start_time": "soon"},
            {"task_type": "a", "interval_seconds": 1, "start_time": "2027-01-02", "end_time": "2027-01-01"},
            {"task_type": "a", "interval_seconds": 1, "max_runs": 0},
            {"task_type": "a", "interval_seconds": 1, "preview_runs": 1001},
        ]


def runs(**payload: Any) -> list[str]:
    return plan(task_type="a", now=payload.pop("now", NOW), **payload)["upcoming_runs"]


def test_a_fixed_time_comes_once_in_the_night_that_has_it_twice_and_after_the_gap() -> None:
    cron = {"cron_expression": "30 2 * * *", "timezone": "Europe/Berlin", "preview_runs": 2}
    autumn = runs(**cron, now=datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert autumn == ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    spring = runs(**cron, now=datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert spring == ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]


def test_29_february_is_found() -> None:
    assert runs(cron_expression="0 0 29 2 *", preview_runs=2) == ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]


def test_the_start_is_a_run_and_so_is_the_end() -> None:
    bounds = {"start_time": "2027-01-01T00:00:00Z", "end_time": "2027-01-01T00:30:00Z"}
    quarters = ["2027-01-01T00:00:00Z", "2027-01-01T00:15:00Z", "2027-01-01T00:30:00Z"]
    assert runs(interval_seconds=900, **bounds) == quarters
    assert runs(cron_expression="*/15 * * * *", **bounds) == quarters
    assert runs(interval_seconds=900, max_runs=2, **bounds) == quarters[:2]


def test_a_time_without_offset_is_in_the_zone() -> None:
    found = plan(
        task_type="a", interval_seconds=60, timezone="Europe/Berlin", start_time="2027-01-01T00:00:00", now=NOW
    )
    assert found["rule"]["start_time"] == found["next_run"] == "2026-12-31T23:00:00Z"


def test_what_has_no_run_any_more_is_exhausted() -> None:
    found = plan(task_type="a", interval_seconds=60, end_time="2026-01-01T00:00:00Z", now=NOW)
    assert (found["status"], found["next_run"], found["upcoming_runs"]) == ("exhausted", None, [])
    none_told = plan(task_type="a", interval_seconds=60, preview_runs=0, now=NOW)
    assert (none_told["status"], none_told["next_run"]) == ("scheduled", "2026-03-01T12:01:00Z")


def test_the_fields_of_a_payload_are_in_the_result_and_settings_stand_in_for_them() -> None:
    found = plan(task_type="sync", interval_seconds=60, payload={"a": 1}, tags=["x"], now=NOW)
    assert (found["name"], found["queue"], found["priority"]) == ("sync", "default", 100)
    assert (found["payload"], found["tags"]) == ({"a": 1}, ["x"])
    assert found["rule"] == {
        "type": "interval", "interval_seconds": 60, "timezone": "UTC",
        "start_time": None, "end_time": None, "max_runs": None,
    }  # fmt: skip


@pytest.mark.parametrize("field", ["cron_expression", "timezone", "start_time", "end_time", "task_type"])
def test_what_is_no_text_is_refused(field: str) -> None:
    for value in HOSTILE:
        payload = {"task_type": "a", "cron_expression": "* * * * *", field: value}
        refused(field, plan, **payload)


@pytest.mark.parametrize("start", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00"])
def test_the_ends_of_the_calendar_end_in_a_result_or_a_refusal(start: str) -> None:
    for rule in ({"interval_seconds": 10**9}, {"cron_expression": "0 0 1 1 *", "timezone": "Asia/Tokyo"}):
        try:
            assert plan(task_type="a", start_time=start, now=NOW, **rule)["status"] in ("scheduled", "exhausted")
        except ValueError as error:
            assert type(error).__name__ == "InvalidPayload"


def test_a_zone_of_settings_has_to_be_known() -> None:
    with pytest.raises(ActionMisconfigured) as caught:
        TaskPlanner(timezone="Europe/Nowhere")
    assert caught.value.setting == "timezone"


@given(seconds=st.integers(1, 10**6), since=st.integers(10**7, 7 * 10**9))
def test_runs_of_an_interval_are_aligned_and_strictly_later(seconds: int, since: int) -> None:
    now = datetime.fromtimestamp(since, UTC)
    found = [datetime.fromisoformat(each) for each in runs(interval_seconds=seconds, now=now)]
    assert len(found) == 5
    assert now < found[0] <= now + timedelta(seconds=seconds)
    assert all(each.timestamp() % seconds == 0 for each in found)
