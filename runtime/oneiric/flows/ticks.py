"""When schedules are due: by cron, every so often, or once.

Cron is that of the system's cron (five fields): a day field that begins with `*` is ANDed with the other, else either
matches. Fixed times run once in the hour that a zone has twice, and right after a gap that they fall into; starred
hours and minutes go by elapsed time. `every` is aligned to the epoch, so that processes agree without a state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

LATE = timedelta(seconds=60)
"""By so much a tick may be late, and is on time."""
MOST = 1000
"""Ticks that were missed and are made up for, at most."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Schedule(NamedTuple):
    """When something is due: one of `cron` (in `zone`), `every` (seconds) and `at`. Ticks are from `start` to `end`,
    both included, and no more than `most` are run. `misfire` says what becomes of ticks that were missed."""

    cron: str | None = None
    every: float | None = None
    at: datetime | None = None
    zone: str = "UTC"
    start: datetime | None = None
    end: datetime | None = None
    most: int | None = None
    misfire: Literal["skip", "once", "all"] = "once"


class Due(NamedTuple):
    """What is due: the ticks to run, the oldest first, how many are `dropped`, and the newest tick that is handled by
    that (None: none ever was)."""

    run: tuple[datetime, ...]
    dropped: int
    newest: datetime | None


def schedule_of(stated: Mapping[str, Any]) -> Schedule:
    """A schedule as a report or a wiring states it. Raises `ValueError`."""
    fields = {name: stated[name] for name in Schedule._fields if stated.get(name) is not None}
    fields.update({name: instant_of(fields[name]) for name in ("at", "start", "end") if name in fields})
    schedule = Schedule(**fields)
    check(schedule)
    return schedule


def instant_of(text: str) -> datetime:
    """An instant in ISO 8601. Raises `ValueError` for one without an offset."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"`{text}` has no offset: `Z` or `+01:00` says which instant it is")
    return found.astimezone(UTC)


def check(schedule: Schedule) -> None:
    """Raise `ValueError`, which says why, for a schedule that has no ticks."""
    if (schedule.cron is not None) + (schedule.every is not None) + (schedule.at is not None) != 1:
        raise ValueError("a schedule has one of `cron`, `every` and `at`")
    if schedule.every is not None and schedule.every < 1:
        raise ValueError("`every` is a second or more")
    if schedule.start is not None and schedule.end is not None and schedule.end < schedule.start:
        raise ValueError("`end` is before `start`")
    if schedule.cron is not None:
        if len(schedule.cron.split()) != 5:
            raise ValueError(f"`{schedule.cron}` has {len(schedule.cron.split())} fields, cron has five")
        if next(_cron(schedule.cron, schedule.zone, _EPOCH), None) is None:
            raise ValueError(f"`{schedule.cron}` never comes")


def ticks_after(schedule: Schedule, instant: datetime) -> Iterator[datetime]:
    """The ticks strictly after an instant, in UTC. `most`, which counts runs, is not looked at."""
    instant = instant.astimezone(UTC)
    if schedule.start is not None and instant < schedule.start:
        instant = schedule.start - timedelta(microseconds=1)
    for tick in _ticks(schedule, instant):
        if schedule.end is not None and tick > schedule.end:
            return
        yield tick


def _ticks(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    if schedule.at is not None:
        at = schedule.at.astimezone(UTC)
        return iter((at,) if at > after else ())
    if schedule.every is not None:
        return _every(timedelta(seconds=schedule.every), after)
    return _cron(schedule.cron or "", schedule.zone, after)


def _every(period: timedelta, after: datetime) -> Iterator[datetime]:
    tick = _EPOCH + ((after - _EPOCH) // period) * period
    while True:
        try:
            tick += period
        except OverflowError:
            return
        yield tick


def _cron(text: str, zone: str, after: datetime) -> Iterator[datetime]:
    """Raises `ValueError` for what is no cron, or no zone."""
    from cronsim import CronSim, CronSimError

    try:
        found = CronSim(text, after.astimezone(zone_of(zone)))
    except CronSimError as error:
        raise ValueError(f"`{text}` is not cron: {str(error)[:1].lower()}{str(error)[1:]}") from None
    newest = after
    for tick in found:  # in an hour that comes twice it begins before `after`; two times in one gap are one instant
        instant = tick.astimezone(UTC)
        if instant > newest:
            newest = instant
            yield instant


def zone_of(name: str) -> Any:
    """A time zone by its name in the IANA database. Raises `ValueError`."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"`{name}` is not a time zone, as `Europe/Berlin` is") from None


def due(schedule: Schedule, newest: datetime, now: datetime, left: int | None = None) -> Due:
    """What is due at an instant, where `newest` is the newest tick that was handled, or the instant that the schedule
    was first seen. `left` is how many may still be run; None: any number. A clock set back makes nothing due."""
    missed: list[datetime] = []
    on_time: list[datetime] = []
    newest, passed = _leaped(schedule, newest, now)
    last: datetime | None = None
    for tick in ticks_after(schedule, newest):
        if tick > now:
            break
        last = tick
        passed += 1
        if now - tick <= LATE:
            on_time.append(tick)
        else:
            missed.append(tick)
            if len(missed) > MOST:
                del missed[0]
    made_up = {"skip": 0, "once": 1, "all": MOST}[schedule.misfire]
    run = [*(missed[-made_up:] if made_up else ()), *on_time]
    if left is not None:
        run = run[:left]
    return Due(tuple(run), passed - len(run), last)


def _leaped(schedule: Schedule, newest: datetime, now: datetime) -> tuple[datetime, int]:
    """Where to begin to look, and how many ticks that leaves out: of very many only the newest matter."""
    if schedule.every is None:
        return newest, 0
    period = timedelta(seconds=schedule.every)
    first = newest if schedule.start is None else max(newest, schedule.start - timedelta(microseconds=1))
    until = now if schedule.end is None else min(now, schedule.end)
    many = (until - _EPOCH) // period - (first - _EPOCH) // period - MOST - LATE // period - 1
    return (first + many * period, many) if many > 0 else (newest, 0)
