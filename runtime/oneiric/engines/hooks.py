"""Runs and their nodes as events, on the topics below that a wiring declares: by whoever carries the run on, in its
tenant's view.

`workflow.run.started`, `.completed`, `.failed`, `.cancelled`: `{run, workflow, tenant, errors}`;
`workflow.node.started`, `.completed`, `.failed`, `.skipped`: `{run, workflow, tenant, node}`, of a failed one `type`,
`message` and `attempts` too. The same is told under the same id; the end of a run whose process dies just then may be
told by nobody.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from oneiric.declared import topics_of
from oneiric.engines.events import emit
from oneiric.errors import OneiricError
from oneiric.flows.model import Outcome, Run, Step
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
        self._runs: dict[str, asyncio.Task[Run]] = {}

    def wanted(self) -> bool:
        """Whether the wiring has any of the topics."""
        return any(name.startswith(PREFIX) for name in topics_of(self._work.host.base))

    async def begins(self, step: Step) -> None:
        """A step is called; with the first one of a run here, the run is said to have started."""
        task = self._runs.get(step.run)
        first = task is None
        if task is None:
            task = self._runs[step.run] = self._work.host.spawn(self._work.run(step.run))
        run = await asyncio.shield(task)
        if first and not run.key.startswith("event:"):
            await self._tell("run.started", run)
            self._work.host.spawn(self._end(run))
        await self._node("started", run, step.name)

    async def completed(self, step: Step) -> None:
        """A step's call gave its result."""
        task = self._runs.get(step.run)
        if task is not None:
            await self._node("completed", await asyncio.shield(task), step.name)

    async def _node(self, what: str, run: Run, node: str, **more: Any) -> None:
        if not run.key.startswith("event:"):
            await self._tell(f"node.{what}", run, node=node, **more)

    async def _end(self, run: Run) -> None:
        """Wait for the end of a run, and tell of it."""
        try:
            outcome: Outcome = await self._work.engine.result(run.id)
        except OneiricError:  # the engine is closed before: whoever carries the run on waits again
            return
        finally:
            self._runs.pop(run.id, None)
        for error in outcome["errors"]:
            more = {name: value for name, value in error.items() if name != "node"}
            await self._node("failed", run, error["node"], **more)
        for name, state in outcome["nodes"].items():
            if state["state"] == "skipped":
                await self._node("skipped", run, name)
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
