"""Ticks: cron as the system's, through both nights of a zone; what is missed; what never comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oneiric.flows.ticks import LATE, MOST, Schedule, check, due, instant_of, schedule_of, ticks_after


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticks(schedule: Schedule, after: str, count: int) -> list[str]:
    found = islice(ticks_after(schedule, at(after)), count)
    return [f"{each:%m-%dT%H:%M}" + (f"{each:%S}" if each.second else "") for each in found]


@pytest.mark.parametrize(
    ("cron", "zone", "after", "wanted"),
    [
        # the night that has an hour twice: fixed times once, starred hours by elapsed time
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["10-25T00:30", "10-26T01:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30", ["10-26T01:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:45", ["10-26T01:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", ["10-26T01:30"]),
        ("30 * * * *", "Europe/Berlin", "2026-10-24T23:45", ["10-25T00:30", "10-25T01:30", "10-25T02:30"]),
        ("*/30 2 * * *", "Europe/Berlin", "2026-10-25T00:00", ["10-25T00:30", "10-25T01:00", "10-25T01:30"]),
        ("30 1 * * *", "America/New_York", "2026-10-31T12:00", ["11-01T05:30", "11-02T06:30"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00", ["04-04T14:45", "04-05T15:15"]),
        # the night that lacks one: right after the gap
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["03-29T01:00", "03-30T00:30"]),
        ("0 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00", ["03-29T01:00", "03-30T00:00"]),
        ("30 * * * *", "Europe/Berlin", "2026-03-29T00:00", ["03-29T00:30", "03-29T01:30"]),
        ("30 2 * * *", "America/New_York", "2026-03-07T12:00", ["03-08T07:00", "03-09T06:30"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", ["10-03T15:30", "10-04T15:15"]),
        # days: ANDed where one field begins with a star, else either
        ("0 0 13 * 5", "UTC", "2026-11-01T00:00", ["11-06T00:00", "11-13T00:00", "11-20T00:00"]),
        ("0 0 */2 * 5", "UTC", "2026-11-01T00:00", ["11-13T00:00", "11-27T00:00"]),
        ("0 0 29 2 *", "UTC", "2026-03-01T00:00", ["02-29T00:00"]),
        ("0 9 * * MON-FRI", "UTC", "2026-11-27T10:00", ["11-30T09:00"]),
        ("0 0 * * 7", "UTC", "2026-11-27T10:00", ["11-29T00:00"]),
    ],
)  # fmt: skip
def test_cron(cron: str, zone: str, after: str, wanted: list[str]) -> None:
    assert ticks(Schedule(cron=cron, zone=zone), after, len(wanted)) == wanted


def test_every_is_aligned_to_the_epoch() -> None:
    assert ticks(Schedule(every=900), "2026-01-01T00:00:01", 3) == ["01-01T00:15", "01-01T00:30", "01-01T00:45"]
    assert ticks(Schedule(every=7), "2026-01-01T00:00", 2) == ticks(Schedule(every=7), "2026-01-01T00:00:01", 2)


def test_an_instant_comes_once() -> None:
    schedule = Schedule(at=at("2027-01-01T00:00"))
    assert ticks(schedule, "2026-01-01T00:00", 5) == ["01-01T00:00"]
    assert ticks(schedule, "2027-01-01T00:00", 5) == []


def test_start_and_end_are_included() -> None:
    schedule = Schedule(every=3600, start=at("2026-01-01T10:00"), end=at("2026-01-01T12:00"))
    assert ticks(schedule, "2026-01-01T00:00", 9) == ["01-01T10:00", "01-01T11:00", "01-01T12:00"]
    assert ticks(schedule, "2026-01-01T11:00", 9) == ["01-01T12:00"]


@pytest.mark.parametrize(
    ("stated", "what"),
    [
        ({"cron": "0 0 30 2 *"}, "never comes|not cron"),
        ({"cron": "0 0 0 * * *"}, "has 6 fields, cron has five"),
        ({"cron": "0 25 * * *"}, "is not cron: bad hour"),
        ({"cron": "0 0 * * *", "zone": "Europe/Berlinn"}, "`Europe/Berlinn` is not a time zone"),
        ({"cron": "0 0 * * *", "zone": "../etc"}, "is not a time zone"),
        ({"cron": "0 0 * * *", "every": 60}, "one of"),
        ({}, "one of"),
        ({"every": 0.5}, "a second or more"),
        ({"at": "2027-01-01T00:00:00"}, "has no offset"),
        ({"every": 60, "start": "2027-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, "`end` is before `start`"),
    ],
)
def test_what_has_no_ticks_is_told(stated: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        schedule_of(stated)


def test_a_schedule_is_read_as_it_is_stated() -> None:
    stated = {
        "cron": "30 2 * * *",
        "zone": "Europe/Berlin",
        "start": "2026-01-01T01:00:00+01:00",
        "call": "task:x",
        "most": 3,
    }
    assert schedule_of(stated) == Schedule(
        cron="30 2 * * *", zone="Europe/Berlin", start=at("2026-01-01T00:00"), most=3
    )
    assert instant_of("2026-01-01T01:00:00+01:00") == at("2026-01-01T00:00")
    check(schedule_of(stated))


NOW = at("2026-01-01T10:00")
HOURLY = Schedule(every=3600)


@pytest.mark.parametrize(
    ("misfire", "newest", "run", "dropped"),
    [
        ("skip", "2026-01-01T06:00", ["10:00"], 3),
        ("once", "2026-01-01T06:00", ["09:00", "10:00"], 2),
        ("all", "2026-01-01T06:00", ["07:00", "08:00", "09:00", "10:00"], 0),
        ("all", "2026-01-01T10:00", [], 0),
        ("all", "2026-01-01T23:00", [], 0),
    ],
)
def test_what_was_missed(misfire: Any, newest: str, run: list[str], dropped: int) -> None:
    found = due(HOURLY._replace(misfire=misfire), at(newest), NOW + timedelta(seconds=30))
    assert [f"{each:%H:%M}" for each in found.run] == run
    assert found.dropped == dropped
    assert found.newest == (NOW if run else None)


def test_a_minute_late_is_on_time() -> None:
    schedule = HOURLY._replace(misfire="skip")
    assert due(schedule, NOW - timedelta(seconds=1), NOW + LATE).run == (NOW,)
    late = due(schedule, NOW - timedelta(seconds=1), NOW + LATE + timedelta(seconds=1))
    assert (late.run, late.dropped, late.newest) == ((), 1, NOW)


def test_of_very_many_the_newest_are_made_up_for() -> None:
    found = due(Schedule(every=60, misfire="all"), at("2025-12-01T00:00"), NOW + timedelta(seconds=1))
    assert len(found.run) == MOST + 1
    assert found.run[-1] == NOW
    assert list(found.run) == sorted(found.run)
    assert found.run[1] - found.run[0] == timedelta(minutes=1)
    assert found.dropped + len(found.run) == (NOW - at("2025-12-01T00:00")) // timedelta(minutes=1)


def test_a_year_of_seconds_is_not_gone_through() -> None:
    schedule = Schedule(every=1, misfire="all", start=at("2025-01-01T00:00"))
    found = due(schedule, at("2024-01-01T00:00"), NOW)
    assert len(found.run) == MOST + LATE // timedelta(seconds=1) + 1
    assert found.newest == found.run[-1] == NOW
    assert found.dropped + len(found.run) == (NOW - at("2025-01-01T00:00")) // timedelta(seconds=1) + 1
    ended = due(schedule._replace(end=NOW - timedelta(days=1)), at("2024-01-01T00:00"), NOW)
    assert (len(ended.run), ended.newest) == (MOST, NOW - timedelta(days=1))


def test_no_more_than_are_left() -> None:
    found = due(HOURLY._replace(misfire="all"), at("2026-01-01T06:00"), NOW, left=2)
    assert [f"{each:%H:%M}" for each in found.run] == ["07:00", "08:00"]
    assert (found.dropped, found.newest) == (2, NOW)
    assert due(HOURLY, at("2026-01-01T09:30"), NOW, left=0).run == ()


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
CRONS = st.sampled_from(["30 2 * * *", "*/20 * * * *", "0 2,3 * * *", "15 1 * * 0", "5 */2 * * *", "30 1-3 * * *"])
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@settings(max_examples=60, deadline=None)
@given(CRONS, ZONES, INSTANTS, st.integers(0, 400))
def test_ticks_are_strictly_after_in_order_and_the_same_from_anywhere(
    cron: str, zone: str, instant: datetime, minutes: int
) -> None:
    schedule = Schedule(cron=cron, zone=zone)
    found = list(islice(ticks_after(schedule, instant), 40))
    assert all(one < other for one, other in zip([instant, *found], found, strict=False))
    later = instant + timedelta(minutes=minutes)
    wanted = [each for each in found if each > later]
    assert list(islice(ticks_after(schedule, later), len(wanted))) == wanted
