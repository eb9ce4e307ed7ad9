"""The action `task.schedule`: when a task would run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, NotRequired, Protocol, TypedDict

from oneiric import component
from oneiric.actions import Json
from oneiric.actions._payload import Fields, chosen, payload_of, settings_of
from oneiric.flows.ticks import Schedule, check, ticks_after, zone_of

_KEY: Final = "task.schedule"
_MOST = 10**9
_MOST_RUNS = 1000


class Rule(TypedDict):
    """When something runs.

    `type`: `cron` or `interval`.
    `cron_expression`: five fields of cron.
    `interval_seconds`: the seconds between two runs, which are aligned to the epoch.
    `timezone`: the zone in which cron is read.
    `start_time`: no run is before this instant.
    `end_time`: no run is after this instant.
    `max_runs`: how many runs there are at most.
    """

    type: str
    cron_expression: NotRequired[str]
    interval_seconds: NotRequired[float]
    timezone: str
    start_time: str | None
    end_time: str | None
    max_runs: int | None


class Planned(TypedDict):
    """When a task would run.

    `status`: `scheduled`, or `exhausted` where there is no run any more.
    `task_type`: as given.
    `name`: as given, else the type of the task.
    `queue`: as given, else as the settings say.
    `priority`: as given, else as the settings say.
    `tags`: as given.
    `rule`: when it runs.
    `next_run`: the first run that is to come, in UTC; null where there is none.
    `upcoming_runs`: the first runs that are to come, in UTC.
    `payload`: as given.
    """

    status: str
    task_type: str
    name: str
    queue: str
    priority: int
    tags: list[str]
    rule: Rule
    next_run: str | None
    upcoming_runs: list[str]
    payload: dict[str, Json]


class PlanTask(Protocol):
    """Says when a task would run. It makes nothing run by itself: an entry of `schedules` in settings/tasks.yml does.

    `task_type`: what would run.
    `cron_expression`: five fields of cron; this or `interval_seconds`.
    `interval_seconds`: the seconds between two runs.
    `queue`: where it would wait; the setting by default.
    `name`: what the schedule is called; the type of the task by default.
    `payload`: what it would be given.
    `priority`: handed on; the setting by default.
    `start_time`: no run is before this instant of ISO 8601, which may itself be one; in `timezone` where it has no
    offset.
    `end_time`: no run is after this instant, which may itself be one.
    `max_runs`: how many runs there are at most, counted from now.
    `preview_runs`: how many runs are told; the setting by default.
    `timezone`: the zone in which cron is read; the setting by default.
    `tags`: handed on.
    """

    async def __call__(
        self,
        *,
        task_type: str,
        cron_expression: str | None = None,
        interval_seconds: float | None = None,
        queue: str | None = None,
        name: str | None = None,
        payload: Mapping[str, Json] | None = None,
        priority: int | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
        max_runs: int | None = None,
        preview_runs: int | None = None,
        timezone: str | None = None,
        tags: list[str] | None = None,
    ) -> Planned: ...


def plan(
    *,
    task_type: str,
    cron_expression: str | None = None,
    interval_seconds: float | None = None,
    queue: str = "default",
    name: str | None = None,
    payload: Mapping[str, Json] | None = None,
    priority: int = 100,
    start_time: str | None = None,
    end_time: str | None = None,
    max_runs: int | None = None,
    preview_runs: int = 5,
    timezone: str = "UTC",
    tags: list[str] | None = None,
    now: datetime | None = None,
) -> Planned:
    """As the action `task.schedule`, seen from `now`. Raises `InvalidPayload`."""
    checks = payload_of(_KEY)
    task = checks.text("task_type", task_type, empty=False)
    zone = _zone(checks, timezone)
    schedule = _schedule(checks, cron_expression, interval_seconds, timezone, zone, start_time, end_time)
    most = None if max_runs is None else checks.integer("max_runs", max_runs, 1, _MOST)
    told = checks.integer("preview_runs", preview_runs, 0, _MOST_RUNS)
    runs = _runs(checks, schedule, now or datetime.now(UTC), min(max(1, told), most or _MOST_RUNS))
    return {
        "status": "scheduled" if runs else "exhausted",
        "task_type": task,
        "name": task if name is None else checks.text("name", name, empty=False),
        "queue": checks.text("queue", queue, empty=False),
        "priority": checks.integer("priority", priority, -_MOST, _MOST),
        "tags": checks.texts("tags", [] if tags is None else tags),
        "rule": _rule(schedule, most),
        "next_run": runs[0] if runs else None,
        "upcoming_runs": runs[:told],
        "payload": checks.mapping("payload", {} if payload is None else payload),
    }


def _zone(checks: Fields, name: str) -> Any:
    try:
        return zone_of(checks.text("timezone", name))
    except ValueError as error:
        raise checks.wrong("timezone", f"is not known: {error}") from None


def _schedule(
    checks: Fields, cron: object, interval: object, name: str, zone: Any, start: object, end: object
) -> Schedule:
    if (cron is None) == (interval is None):
        if cron is None:
            raise checks.wrong("cron_expression", "is missing: `cron_expression` or `interval_seconds` is wanted")
        raise checks.wrong("interval_seconds", "is given and `cron_expression` too: one is wanted")
    schedule = Schedule(
        cron=None if cron is None else checks.text("cron_expression", cron),
        every=None if interval is None else checks.number("interval_seconds", interval, 1, _MOST),
        zone=name,
        start=_instant(checks, "start_time", start, zone),
        end=_instant(checks, "end_time", end, zone),
    )
    if schedule.start is not None and schedule.end is not None and schedule.end < schedule.start:
        raise checks.wrong("end_time", "is before `start_time`")
    try:
        check(schedule)
    except (ValueError, OverflowError) as error:
        raise checks.wrong("cron_expression", f"cannot be used: {error}") from None
    return schedule


def _instant(checks: Fields, field: str, value: object, zone: Any) -> datetime | None:
    if value is None:
        return None
    try:
        stated = datetime.fromisoformat(checks.text(field, value))
        return (stated if stated.tzinfo else stated.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise checks.wrong(field, "is not an instant of ISO 8601 such as 2027-01-31T12:00:00Z") from None


def _runs(checks: Fields, schedule: Schedule, now: datetime, many: int) -> list[str]:
    try:
        return [_written(tick) for tick in islice(ticks_after(schedule, now), many)]
    except (ValueError, OverflowError) as error:
        raise checks.wrong("cron_expression", f"cannot be used: {error}") from None


def _rule(schedule: Schedule, most: int | None) -> Rule:
    rule: Rule = {
        "type": "interval" if schedule.cron is None else "cron",
        "timezone": schedule.zone,
        "start_time": None if schedule.start is None else _written(schedule.start),
        "end_time": None if schedule.end is None else _written(schedule.end),
        "max_runs": most,
    }
    if schedule.cron is not None:
        rule["cron_expression"] = schedule.cron
    if schedule.every is not None:
        rule["interval_seconds"] = schedule.every
    return rule


def _written(tick: datetime) -> str:
    return tick.isoformat().replace("+00:00", "Z")


@component(
    "action",
    "task.schedule",
    provider="builtin-task-schedule",
    priority=0,
    stack_level=-10,
    capabilities=("schedule", "plan", "cron"),
    port="oneiric.actions.schedule:PlanTask",
)
class TaskPlanner:
    """Says when a task would run.

    `default_queue`: the queue, where a payload does not say.
    `default_priority`: the priority, where a payload does not say.
    `timezone`: the zone in which cron is read, where a payload does not say.
    `max_preview_runs`: how many runs are told, where a payload does not say.
    """

    def __init__(
        self,
        *,
        default_queue: str = "default",
        default_priority: int = 100,
        timezone: str = "UTC",
        max_preview_runs: int = 5,
    ) -> None:
        checks = settings_of(_KEY, "builtin-task-schedule")
        self._queue = checks.text("default_queue", default_queue, empty=False)
        self._priority = checks.integer("default_priority", default_priority, -_MOST, _MOST)
        _zone(checks, timezone)
        self._zone = timezone
        self._told = checks.integer("max_preview_runs", max_preview_runs, 0, _MOST_RUNS)

    async def __call__(
        self,
        *,
        task_type: str,
        cron_expression: str | None = None,
        interval_seconds: float | None = None,
        queue: str | None = None,
        name: str | None = None,
        payload: Mapping[str, Json] | None = None,
        priority: int | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
        max_runs: int | None = None,
        preview_runs: int | None = None,
        timezone: str | None = None,
        tags: list[str] | None = None,
    ) -> Planned:
        return plan(
            task_type=task_type,
            cron_expression=cron_expression,
            interval_seconds=interval_seconds,
            queue=chosen(queue, self._queue),
            name=name,
            payload=payload,
            priority=chosen(priority, self._priority),
            start_time=start_time,
            end_time=end_time,
            max_runs=max_runs,
            preview_runs=chosen(preview_runs, self._told),
            timezone=chosen(timezone, self._zone),
            tags=tags,
        )
