"""Fires schedules: what is due becomes a run, once over all processes.

What a tick comes to is settled by the schedule's mark: who writes it first decides, and only then are runs submitted.
One that dies in between leaves them `pending`, for whoever looks next; a run's id is its tick, so that submitting it
twice changes nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

from oneiric.adapters.engine import UnknownRun
from oneiric.calls import parse_call
from oneiric.declared import work_of
from oneiric.engines.emitting import ORDERED
from oneiric.engines.marks import Mark, mark_of
from oneiric.envelope import instant
from oneiric.flows.model import ENDED, ONCE, Flow, Node, Retry, Submission, Unserved
from oneiric.flows.references import rendered
from oneiric.flows.ticks import Schedule, due, schedule_of, ticks_after
from oneiric.host import Host
from oneiric.lifecycle.steps import in_thread
from oneiric.tracing import span
from oneiric.wiring import Wiring

_LONG = timedelta(days=1)
"""Looking for what was missed for longer than this is done in a thread."""
_TRIES = 20
_log = logging.getLogger("oneiric.schedules")


class Planned(NamedTuple):
    """A schedule of a wiring, for the base or one tenant."""

    name: str
    tenant: str | None
    schedule: Schedule
    call: str
    given: Mapping[str, Any]
    overlap: Literal["skip", "queue"]
    jitter: float
    queue: str | None
    retry: Retry
    timeout: float | None
    timing: str

    @property
    def title(self) -> str:
        """The name, and whose it is."""
        return self.name if self.tenant is None else f"{self.name}@{self.tenant}"

    def run(self, tick: datetime) -> str:
        """The id of the run of a tick."""
        return f"schedule/{self.title}/{instant(tick)}"

    def next(self, after: datetime) -> datetime | None:
        """The first tick after an instant; None where there is none any more."""
        return next(ticks_after(self.schedule, after), None)


def planned(wiring: type[Wiring], tenants: Iterable[str]) -> list[Planned]:
    """The schedules of a wiring, each once per tenant that it is for. Raises `ValueError`."""
    found: list[Planned] = []
    known = tuple(tenants)
    for name, stated in sorted(schedules_of(wiring).items()):
        wanted = stated.get("tenants")
        of = (None,) if wanted is None else known if wanted == "all" else wanted
        found += [plan_of(name, tenant, stated) for tenant in of]
    return found


def schedules_of(wiring: type[Wiring]) -> Mapping[str, Mapping[str, Any]]:
    """What the settings state of schedules, by name."""
    return {name: each for domain in wiring.__domains__.values() for name, each in domain.__schedules__.items()}


def plan_of(name: str, tenant: str | None, stated: Mapping[str, Any]) -> Planned:
    """A schedule as a wiring states it. Raises `ValueError`."""
    timing = {each: stated[each] for each in ("cron", "every", "at", "zone", "start", "end") if stated.get(each)}
    return Planned(
        name,
        tenant,
        schedule_of(stated),
        stated["call"],
        stated.get("with") or {},
        stated.get("overlap") or "skip",
        stated.get("jitter") or 0.0,
        stated.get("queue"),
        stated.get("retry") or ONCE,
        stated.get("timeout"),
        json.dumps(timing, sort_keys=True),
    )


class Fired(NamedTuple):
    """What one look came to: the ids of the runs that were submitted, whether a tick waits for a run to end, and by
    title the schedules that failed, which a later look tries again."""

    runs: list[str]
    waiting: bool
    failed: Mapping[str, Exception] = {}


class Firing:
    """Fires the schedules of one application."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @property
    def _engine(self) -> Any:
        return work_of(self._host.base).engine

    @property
    def _prefix(self) -> str:
        return f"schedule/{self._host.wiring_class.__app__}/"

    async def plans(self) -> list[Planned]:
        """The schedules, as the wiring has them now. Raises `LoadError`."""
        from oneiric.tenants.scope import tenants_of

        wiring, host = self._host.wiring_class, self._host
        every = any(each.get("tenants") == "all" for each in schedules_of(wiring).values())
        tenants: tuple[str, ...] = (await in_thread(tenants_of, host)).get() if every and host.lines else ()
        return planned(wiring, tenants)

    async def marks(self, plans: Iterable[Planned]) -> dict[str, Mark]:
        """How far each schedule came that was seen, by title."""
        texts: Mapping[str, str] = await self._engine.marks(self._prefix)
        found = {each.title: mark_of(texts.get(f"{self._prefix}{each.title}"), each.timing) for each in plans}
        return {title: mark for title, mark in found.items() if mark is not None}

    async def forget(self, plans: Iterable[Planned]) -> None:
        """Remove the marks of schedules that are gone."""
        names = {f"{self._prefix}{each.title}" for each in plans}
        for name, text in (await self._engine.marks(self._prefix)).items():
            if name not in names:
                await self._engine.mark(name, None, was=text)

    async def look(self, plans: Iterable[Planned], now: datetime) -> Fired:
        """Fire what is due. One schedule that fails keeps no other from it."""
        texts: Mapping[str, str] = await self._engine.marks(self._prefix)
        runs: list[str] = []
        waiting = False
        failed: dict[str, Exception] = {}
        for plan in plans:
            name = f"{self._prefix}{plan.title}"
            if self._is_paused(plan):
                continue
            try:
                waits = await self._advance(plan, name, texts.get(name), now, runs)
            except Exception as error:
                failed[plan.title] = error
            else:
                waiting = waiting or waits
        return Fired(runs, waiting, failed)

    def _is_paused(self, plan: Planned) -> bool:
        return parse_call(plan.call).key in self._host.paused

    async def _advance(self, plan: Planned, name: str, text: str | None, now: datetime, runs: list[str]) -> bool:
        """Go on with one schedule until there is nothing to do; whether a tick waits. Adds the runs."""
        for _ in range(_TRIES):
            mark = mark_of(text, plan.timing)
            if mark is None:
                after = Mark(plan.timing, now)
            elif mark.pending:
                runs += await self._submitted(plan, mark.pending)
                after = mark._replace(pending=(), active=(*mark.active, *mark.pending))
            else:
                after = await self._settled(plan, mark, now)
            if mark is not None and after == mark:
                return mark.waiting is not None
            written = after.text()
            if await self._engine.mark(name, written, was=text):
                text = written
                self._tell(plan, mark, after)
            else:
                text = (await self._engine.marks(name)).get(name)
        return False

    async def _settled(self, plan: Planned, mark: Mark, now: datetime) -> Mark:
        """The mark with what is due settled. Unchanged where nothing is."""
        left = None if plan.schedule.most is None else max(plan.schedule.most - mark.runs, 0)
        if now - mark.newest > _LONG:
            found = (await in_thread(due, plan.schedule, mark.newest, now, left)).get()
        else:
            found = due(plan.schedule, mark.newest, now, left)
        if found.newest is None and mark.waiting is None:
            return mark
        return settled(mark, found.run, found.dropped, found.newest, plan.overlap, await self._active(plan, mark))

    async def _active(self, plan: Planned, mark: Mark) -> tuple[datetime, ...]:
        """The ticks whose runs are not over. One that is parked may never be, and frees its place."""
        found: list[datetime] = []
        for tick in mark.active:
            try:
                run = await self._engine.run(plan.run(tick))
            except UnknownRun:
                continue
            if run.state not in ENDED and run.state != "parked":
                found.append(tick)
        return tuple(found)

    async def _submitted(self, plan: Planned, ticks: Iterable[datetime]) -> list[str]:
        runs: list[str] = []
        for tick in ticks:
            with span("tick", domain="task", schedule=plan.name, tenant=plan.tenant):
                submission = self.submission(plan, tick)
                if await work_of(self._host.base).submit(submission):
                    runs.append(submission.id)
        return runs

    def submission(self, plan: Planned, tick: datetime) -> Submission:
        """The run of a tick; those of one schedule are in order."""
        payload: Any = rendered(plan.given, {"tick": {"at": instant(tick), "schedule": plan.name}})
        flow = self._flow(plan)
        run = plan.run(tick)
        queue = plan.queue or flow.get("queue") or ORDERED
        return Submission(
            run,
            flow,
            payload,
            tenant=plan.tenant,
            queue=queue,
            generation=self._host.generation if flow.get("steps") == "pinned" else None,
            order=f"schedule/{plan.title}",
            not_before=_later(tick, plan.jitter, run),
        )

    def _flow(self, plan: Planned) -> Flow:
        if plan.call.startswith("workflow:") and "#" not in plan.call:
            try:
                flow: Flow = work_of(self._host.base).flow_of(plan.call, plan.tenant)
            except Unserved:
                pass  # the run will be parked, and say so
            else:
                return flow
        whole: Any = "${input}"
        node: Node = {
            "call": plan.call,
            "after": (),
            "with": whole,
            "retry": plan.retry,
        }
        if plan.timeout is not None:
            node["timeout"] = plan.timeout
        return {"key": parse_call(plan.call).key, "nodes": {"call": node}, "result": "${call}"}

    def _tell(self, plan: Planned, before: Mark | None, after: Mark) -> None:
        dropped = after.dropped - (before.dropped if before is not None else 0)
        if dropped:
            _log.warning("schedule %s: %d ticks up to %s are dropped", plan.title, dropped, instant(after.newest))


def settled(
    mark: Mark,
    ticks: tuple[datetime, ...],
    dropped: int,
    newest: datetime | None,
    overlap: Literal["skip", "queue"],
    active: tuple[datetime, ...],
) -> Mark:
    """What becomes of ticks that are due, where the runs of `active` ones are not over yet."""
    due_now = ticks if mark.waiting is None else (mark.waiting, *ticks)
    waiting: datetime | None = None
    pending: tuple[datetime, ...] = due_now
    if active:
        pending = ()
        waiting = due_now[0] if due_now and overlap == "queue" else None
        dropped += len(due_now) - (waiting is not None)
    return mark._replace(
        newest=newest or mark.newest,
        runs=mark.runs + len(pending),
        dropped=mark.dropped + dropped,
        pending=pending,
        active=active,
        waiting=waiting,
    )


def _later(tick: datetime, jitter: float, run: str) -> str | None:
    """The instant before which a run does not begin: some of the jitter later, the same in every process."""
    if not jitter:
        return None
    share = int.from_bytes(blake2b(run.encode(), digest_size=4).digest()) / 2**32
    later = (tick + timedelta(seconds=jitter * share)).astimezone(UTC)
    return later.isoformat(timespec="milliseconds").replace("+00:00", "Z")
