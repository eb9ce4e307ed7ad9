"""Runs and queues of an application, as documents: what an operator asks of a process, and commands of none."""

from __future__ import annotations

import asyncio
from typing import Any

from oneiric.documents import Misfit, parse
from oneiric.errors import OneiricError
from oneiric.flows.model import ENDED, Outcome, Run, RunState
from oneiric.host import Host
from oneiric.tenants.scope import scope_of
from oneiric.wiring import target_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneiric.engines.work import Work

_ENGINE = "adapter:engine"
RUN_FORMAT = "oneiric.workflow-run/1"
SHOW_FORMAT = "oneiric.workflow-show/1"
LIST_FORMAT = "oneiric.workflow-list/1"
STEPS_FORMAT = "oneiric.workflow-steps/1"
CHANGE_FORMAT = "oneiric.workflow-change/1"
QUEUES_FORMAT = "oneiric.queues/1"
COUNTED = 1000
"""How many failed runs of a queue are counted at most."""
STATES: tuple[RunState, ...] = ("queued", "running", "completed", "failed", "cancelled", "parked")


class Runs:
    """Of one application."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @property
    def _work(self) -> Work:
        from oneiric.engines.work import work_of  # which a process that runs nothing does not pay for

        return work_of(self._host)

    async def start(
        self, *, key: str, payload: str, id: str | None, queue: str | None, tenant: str | None
    ) -> dict[str, Any]:
        """Have a workflow or any other call run, with a JSON object in `payload`; what is known of the run. Raises
        `UnknownKey`, `UnknownTenant`, `PayloadError`, `Paused`, `Misfit`."""
        given: Any = parse(payload.encode(errors="surrogateescape"), {})
        return await self.begin(key, given, id=id, queue=queue, tenant=tenant)

    async def begin(
        self, key: str, given: Any, *, id: str | None, queue: str | None, tenant: str | None
    ) -> dict[str, Any]:
        """The same, of an object."""
        scope = self._host.base if tenant is None else scope_of(self._host, tenant)
        slot = scope.place(target_of(self._host.wiring_class, key))
        handle = await slot.start(given, id=id, queue=queue)
        return await self._known(handle.id)

    async def _known(self, id: str) -> dict[str, Any]:
        run = await self._work.run(id)
        return ended(run, await self._work.engine.result(id) if run.state in ENDED else None)

    async def wait(self, *, id: str, within: float) -> dict[str, Any]:
        """How a run ended; where it has not within so many seconds, or is parked, what is known of it."""
        try:
            async with asyncio.timeout(within):
                return await self._ended(id)
        except TimeoutError:
            return await self._known(id)

    async def _ended(self, id: str) -> dict[str, Any]:
        waiting = asyncio.ensure_future(self._work.engine.result(id))
        try:
            while not waiting.done():
                run = await self._work.run(id)
                if run.state == "parked":
                    return ended(run, None)
                await asyncio.wait((waiting,), timeout=0.25)
        finally:
            if not waiting.done():
                waiting.cancel()
        outcome: Outcome = waiting.result()
        return ended(await self._work.run(id), outcome)

    async def listed(self, *, key: str | None, state: str | None, queue: str | None, limit: int) -> dict[str, Any]:
        """The newest runs, of a key, state or queue."""
        if state is not None and state not in STATES:
            raise Misfit(f"there is no state {state}; there are {', '.join(STATES)}")
        found = await self._work.engine.runs(key=key, state=state, queue=queue, limit=limit)
        return {"format": LIST_FORMAT, "runs": [run._asdict() for run in found]}

    async def show(self, *, id: str) -> dict[str, Any]:
        """All that is known of a run, and once it has ended how. Raises `UnknownRun`."""
        return {**await self._known(id), **(await self._work.run(id))._asdict(), "format": SHOW_FORMAT}

    async def steps(self, *, id: str) -> dict[str, Any]:
        """The steps of a run that are over. Raises `UnknownRun`."""
        found = await self._work.engine.steps(id)
        return {"format": STEPS_FORMAT, "id": id, "steps": [each._asdict() for each in found]}

    async def cancel(self, *, id: str) -> dict[str, Any]:
        """End a run; whether that changed anything. Raises `UnknownRun`."""
        changed = await self._work.cancel(id)
        return {"format": CHANGE_FORMAT, "id": id, "changed": changed, "state": (await self._work.run(id)).state}

    async def retry(self, *, id: str, step: str | None) -> dict[str, Any]:
        """Let a run go on from a step, or from what failed. Raises `UnknownRun`, `InvalidRun`."""
        await self._work.engine.retry(id, step=step)
        return {"format": CHANGE_FORMAT, "id": id, "changed": True, "state": (await self._work.run(id)).state}

    async def queues(self) -> dict[str, Any]:
        """Each queue: its limits, what waits, runs, and has failed; of `dead` ones events could not be delivered."""
        engine = self._work.engine
        rows: list[dict[str, Any]] = []
        for each in await engine.queues():
            failed = await engine.runs(state="failed", queue=each.name, limit=COUNTED)
            dead = sum(run.key.startswith("event:") for run in failed)
            row = {"name": each.name, "paused": each.paused, "waiting": each.waiting, "running": each.running}
            rows.append({**row, "failed": len(failed) - dead, "dead": dead, "limits": each.limits._asdict()})
        return {"format": QUEUES_FORMAT, "queues": rows}

    async def pause(self, *, queue: str | None, resume: bool) -> dict[str, Any]:
        """Begin no run of a queue, or of any, or with `resume` begin them again. Raises `NoQueue`."""
        engine = self._work.engine
        if queue is not None:
            self._work.check_queue(queue)
        if not resume:
            await engine.pause(queue)
        else:
            await engine.resume(queue)
            for each in await engine.queues() if queue is None else ():
                await engine.resume(each.name)
        return await self.queues()

    async def counts(self) -> dict[str, int]:
        """How many runs, in a queue or in none, are queued, running, parked and have failed, `COUNTED` of each at most;
        of `dead` ones events could not be delivered."""
        engine = self._work.engine
        states: tuple[RunState, ...] = ("queued", "running", "parked")
        found: dict[str, int] = {each: len(await engine.runs(state=each, limit=COUNTED)) for each in states}
        failed = await engine.runs(state="failed", limit=COUNTED)
        dead = sum(run.key.startswith("event:") for run in failed)
        return {**found, "failed": len(failed) - dead, "dead": dead}

    async def summary(self, within: float) -> dict[str, Any]:
        """`runs` and `queues`, for a status; neither where nothing is run here, or the engine is not in time."""
        held = self._host.base.slots()[_ENGINE].home.held if _ENGINE in self._host.base.slots() else None
        if held is None:
            return {}
        try:
            async with asyncio.timeout(within):
                return {"runs": await self.counts(), "queues": (await self.queues())["queues"]}
        except (OneiricError, TimeoutError):
            return {}


def ended(run: Run, outcome: Outcome | None) -> dict[str, Any]:
    """A run as what its start or its end is answered with."""
    return {
        "format": RUN_FORMAT,
        "id": run.id,
        "key": run.key,
        "state": run.state,
        "why": run.why,
        "result": None if outcome is None else outcome["result"],
        "errors": [] if outcome is None else outcome["errors"],
        "nodes": {} if outcome is None else outcome["nodes"],
    }
