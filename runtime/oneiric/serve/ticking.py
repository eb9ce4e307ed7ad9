"""Schedules of an application, as documents: what they are, how far they came, and firing what is due."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from oneiric.envelope import instant
from oneiric.errors import OneiricError
from oneiric.flows.model import ENDED
from oneiric.flows.ticks import instant_of
from oneiric.host import Host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneiric.engines.firing import Firing, Planned
    from oneiric.engines.marks import Mark

LIST_FORMAT = "oneiric.schedule-list/1"
FIRE_FORMAT = "oneiric.schedule-fire/1"


class Ticking:
    """Of one application."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @property
    def _firing(self) -> Firing:
        from oneiric.engines.firing import Firing  # which a process without schedules does not pay for

        return Firing(self._host)

    async def listed(self) -> dict[str, Any]:
        """Each schedule: when it is due next, and what became of its ticks so far."""
        firing = self._firing
        plans = await firing.plans()
        marks = await firing.marks(plans) if plans else {}
        now = datetime.now(UTC)
        return {"format": LIST_FORMAT, "schedules": [_shown(each, marks.get(each.title), now) for each in plans]}

    async def fire(self, *, now: str | None, wait: bool) -> dict[str, Any]:
        """Fire what is due; with `wait`, the runs are carried on here until they end. Raises `OneiricError`."""
        from oneiric.engines.work import work_of

        at = datetime.now(UTC) if now is None else _instant(now)
        firing, work = self._firing, work_of(self._host)
        plans = await firing.plans()
        runs: list[dict[str, Any]] = []
        if wait and plans:
            await work.begin(self)
        try:
            fired = await firing.look(plans, at)
            for error in fired.failed.values():
                raise error
            for id in fired.runs:
                if wait:
                    await work.engine.result(id)
                run = await work.run(id)
                runs.append({"id": id, "key": run.key, "state": run.state, "tenant": run.tenant})
        finally:
            await work.end(self)
        ended = all(each["state"] in ENDED for each in runs)
        return {"format": FIRE_FORMAT, "now": instant(at), "runs": runs, "waiting": fired.waiting, "ended": ended}


def _instant(text: str) -> datetime:
    try:
        return instant_of(text)
    except ValueError as error:
        raise OneiricError(str(error)) from None


def timing_of(plan: Planned) -> str:
    """When a schedule is due, in a line."""
    schedule = plan.schedule
    if schedule.cron is not None:
        return f"cron {schedule.cron} {schedule.zone}"
    return f"at {instant(schedule.at)}" if schedule.at is not None else f"every {schedule.every:g}s"


def _shown(plan: Planned, mark: Mark | None, now: datetime) -> dict[str, Any]:
    following = plan.next(now)
    return {
        "name": plan.name,
        "tenant": plan.tenant,
        "timing": timing_of(plan),
        "call": plan.call,
        "next": None if following is None else instant(following),
        "newest": None if mark is None else instant(mark.newest),
        "runs": 0 if mark is None else mark.runs,
        "dropped": 0 if mark is None else mark.dropped,
        "active": [] if mark is None else [plan.run(tick) for tick in mark.active],
        "waiting": None if mark is None or mark.waiting is None else instant(mark.waiting),
    }
