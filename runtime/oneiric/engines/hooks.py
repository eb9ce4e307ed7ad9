"""Runs and their nodes as events, on the topics below that a wiring declares: by whoever carries the run on, in its
tenant's view.

`workflow.run.started`, `.completed`, `.failed`, `.cancelled`: `{run, workflow, tenant, errors}`;
`workflow.node.started`, `.completed`, `.failed`, `.skipped`: `{run, workflow, tenant, node}`, of a failed one `type`,
`message` and `attempts` too. The same is told under the same id; the end of a run whose process dies just then may be
told by nobody.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Protocol

from oneiric.declared import topics_of
from oneiric.engines.events import emit
from oneiric.errors import OneiricError
from oneiric.flows.model import ENDED, Outcome, Run, Step
from oneiric.host import Host
from oneiric.tenants.scope import scope_of

PREFIX = "workflow."


class Runs(Protocol):
    """Whose runs are told of: `engines.work.Work`."""

    host: Host

    @property
    def engine(self) -> Any: ...
    async def run(self, run: str) -> Run: ...


class Hooks:
    """Of one application."""

    def __init__(self, work: Runs) -> None:
        self._work = work
        self._runs: dict[str, asyncio.Task[Run | None]] = {}
        self._nodes: dict[str, set[str]] = {}
        self._ends: dict[str, asyncio.Task[None]] = {}

    def wanted(self) -> bool:
        """Whether the wiring has any of the topics."""
        return any(name.startswith(PREFIX) for name in topics_of(self._work.host.base))

    def carried_on(self, id: str) -> asyncio.Task[Run | None]:
        """A run is carried on here: it is said to have started, and, once it has, to have ended."""
        task = self._runs.get(id)
        if task is None:
            task = self._runs[id] = self._work.host.spawn(self._begun(id))
        return task

    async def begins(self, step: Step) -> None:
        """A step is called, for the first time or once more."""
        run = await asyncio.shield(self.carried_on(step.run))
        if run is None:
            return
        told = self._nodes.setdefault(step.run, set())
        if step.name not in told:
            told.add(step.name)
            await self._tell("node.started", run, node=step.name)

    async def completed(self, step: Step) -> None:
        """A step's call gave its result."""
        task = self._runs.get(step.run)
        if task is not None and (run := await asyncio.shield(task)) is not None:
            await self._tell("node.completed", run, node=step.name)

    async def rest(self) -> None:
        """Runs are carried on here no more: tell of the ends there were, and wait for no others."""
        for id, task in [*self._ends.items()]:
            with suppress(OneiricError):
                if (await self._work.run(id)).state in ENDED:
                    await task
            task.cancel()
        self._runs.clear()
        self._nodes.clear()

    async def _begun(self, id: str) -> Run | None:
        """The run, of which the beginning is told; None where nothing is: of deliveries, or if it is not known now."""
        try:
            run = await self._work.run(id)
        except OneiricError as error:
            self._work.host.report(error)
            run = None
        if run is None or run.key.startswith("event:"):
            self._runs.pop(id, None)
            return None
        await self._tell("run.started", run)
        end = self._ends[id] = self._work.host.spawn(self._end(run))
        end.add_done_callback(lambda _: self._over(id))
        return run

    def _over(self, id: str) -> None:
        for kept in (self._runs, self._nodes, self._ends):
            kept.pop(id, None)

    async def _end(self, run: Run) -> None:
        """Wait for the end of a run, and tell of it."""
        try:
            outcome: Outcome = await self._work.engine.result(run.id)
        except OneiricError:  # the engine is closed before: whoever carries the run on waits again
            return
        for error in outcome["errors"]:
            more = {name: value for name, value in error.items() if name != "node"}
            await self._tell("node.failed", run, node=error["node"], **more)
        for name, state in outcome["nodes"].items():
            if state["state"] == "skipped":
                await self._tell("node.skipped", run, node=name)
        await self._tell(f"run.{outcome['state']}", run, errors=outcome["errors"])

    async def _tell(self, what: str, run: Run, **more: Any) -> None:
        host = self._work.host
        scope: Any = host.base if run.tenant is None else scope_of(host, run.tenant)
        topic = topics_of(scope).get(PREFIX + what)
        if topic is None:
            return
        event = {"run": run.id, "workflow": run.key, "tenant": run.tenant, **more}
        try:
            id = f"{run.id}/{more['node']}/{what}" if "node" in more else f"{run.id}/{what}"
            await emit(scope, topic, event, id=id, subject=run.id)
        except OneiricError as error:
            host.report(error)
