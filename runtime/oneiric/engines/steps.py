"""A step as the code sees it that it calls, and durable steps of workflows that are code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from oneiric.boundary import plain
from oneiric.calls import parse_call
from oneiric.flows.model import ONCE, Flow, Node, Step, Submission
from oneiric.stepping import Token

NODE = "run"
"""The node of a run that is one call."""


class Runs(Protocol):
    """Where steps are submitted: `engines.work.Work`."""

    async def submit(self, submission: Submission) -> bool: ...
    async def result(self, run: str) -> Any: ...


class Steps:
    """What a step is part of; `call` is for workflows that are code."""

    __slots__ = ("_counts", "_step", "_work")

    def __init__(self, work: Runs, step: Step) -> None:
        self._work = work
        self._step = step
        self._counts: dict[str, int] = {}

    @property
    def tenant(self) -> str | None:
        """The tenant of the run."""
        return self._step.tenant

    @property
    def token(self) -> Token:
        """The step's token."""
        return Token(self._step.token)

    async def call(
        self, call: str, payload: Mapping[str, Any] | None = None, /, *, name: str | None = None, attempts: int = 1
    ) -> Any:
        """Make a call once in this run: where that goes on after a crash, the result is there already. A step is known
        by its name, by default the call and how often that was made before: with names of their own, steps may come in
        any order. Raises `RunFailed`."""
        if name is None:
            count = self._counts[call] = self._counts.get(call, -1) + 1
            name = f"{call}[{count}]" if count else call
        step = self._step
        flow = one_call(call, attempts=attempts)
        run = Submission(
            f"{step.token}/{name}", flow, plain(payload or {}), tenant=step.tenant, generation=step.generation
        )
        await self._work.submit(run)
        return await self._work.result(run.id)


def one_call(call: str, *, attempts: int = 1) -> Flow:
    """The flow of a run that is one call, of what the run is given."""
    key, _ = parse_call(call)
    whole: Any = "${input}"
    node: Node = {"call": call, "after": [], "with": whole, "retry": {**ONCE, "attempts": attempts}}
    return {"key": key, "nodes": {NODE: node}, "result": f"${{{NODE}}}"}
