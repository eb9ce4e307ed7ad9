"""Runs a workflow by the steps that somebody else performs: the one reading of a `Flow` that all engines share.

What it does next depends on the flow, the payload and the results of steps alone, never on a clock, a thread or a
random number. So an engine that has kept the results of steps has the run go on by giving them again, and the steps'
numbers, which are reserved in the flow's order, are the same each time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from typing import Any, TypeAlias

from oneiric.flows.conditions import holds
from oneiric.flows.graph import levels
from oneiric.flows.model import (
    ONCE,
    Flow,
    Node,
    NodeState,
    Outcome,
    Step,
    StepError,
    StepFailed,
    Submission,
    Unserved,
)
from oneiric.flows.paths import is_list
from oneiric.flows.references import Missing, references, rendered

Perform: TypeAlias = Callable[[Step], Awaitable[Any]]
"""Makes a step's call and gives its result. Raises `StepFailed`, or `Unserved`. Anything else that it raises, as a
cancellation, ends what is under way and says nothing of the run."""


async def interpret(submission: Submission, perform: Perform) -> Outcome:
    """What a run comes to. When a node fails, what is under way is finished and nothing else begins; so it is when a
    step's call is not served, and then `Unserved` is raised."""
    return await _Interpreter(submission, perform).run()


class _Interpreter:
    def __init__(self, submission: Submission, perform: Perform) -> None:
        self.submission = submission
        self.flow: Flow = submission.flow
        self.perform = perform
        self.scope: dict[str, Any] = {"input": submission.payload}
        self.states: dict[str, NodeState] = {}
        self.errors: dict[str, list[StepError]] = {}
        self.failed = False
        self.unserved: dict[str, Unserved] = {}
        self.numbers = _numbers(self.flow["nodes"])
        self.waits_for = _waits_for(self.flow)

    async def run(self) -> Outcome:
        waiting = dict(self.flow["nodes"])
        under_way: dict[asyncio.Task[None], str] = {}
        try:
            while True:
                if not self.failed and not self.unserved:
                    for name in [each for each in waiting if self._may_begin(each)]:
                        under_way[asyncio.ensure_future(self._node(name, waiting.pop(name)))] = name
                if not under_way:
                    break
                done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                for task in [each for each in under_way if each in done]:
                    del under_way[task]
                    task.result()
        finally:
            await _ended(under_way)
        for name in self.unserved:
            raise self.unserved[name]
        return self._outcome()

    def _may_begin(self, name: str) -> bool:
        return all(each in self.states for each in self.waits_for[name])

    async def _node(self, name: str, node: Node) -> None:
        """One node, until its state is known."""
        try:
            if self._is_skipped(node):
                self.states[name] = {"state": "skipped"}
                return
            if "for_each" in node:
                self.scope[name] = await self._each(name, node)
            else:
                self.scope[name] = await self.perform(self._step(name, node, self.numbers[name], self.scope))
            self.states[name] = {"state": "completed"}
        except StepFailed as error:
            self._fail(name, node, error)
        except Unserved as error:
            self.unserved[name] = error

    def _is_skipped(self, node: Node) -> bool:
        """Whether its conditions do not hold, or what it refers to without a default was skipped itself."""
        if not holds(node.get("when", ()), self.scope):
            return True
        return any(each not in self.scope for each in _needed(node))

    def _step(self, name: str, node: Node, number: int, scope: Mapping[str, Any], place: str = "") -> Step:
        called = f"{name}{place}"
        try:
            payload = rendered(node.get("with", {}), scope)
        except Missing as error:
            raise StepFailed(called, "Missing", str(error), 0) from None
        submission = self.submission
        pinned = submission.generation if self.flow.get("steps") == "pinned" else None
        return Step(
            run=submission.id,
            number=number,
            name=called,
            call=node["call"],
            payload=payload,
            retry=node.get("retry", ONCE),
            timeout=node.get("timeout"),
            tenant=submission.tenant,
            generation=pinned,
        )

    async def _each(self, name: str, node: Node) -> list[Any]:
        """The results of a node that is performed for each item, in the order of the items."""
        items = self._items(name, node.get("for_each"), node.get("most", 0))
        first, turns = self.numbers[name], asyncio.Semaphore(node.get("at_once", len(items) or 1))
        goes_on, failed = node.get("on_error") == "continue", False

        async def one(index: int, item: Any) -> Any:
            nonlocal failed
            async with turns:
                if failed:
                    return None
                try:
                    scope = {**self.scope, "item": item}
                    return await self.perform(self._step(name, node, first + index, scope, f"[{index}]"))
                except StepFailed as error:
                    failed = not goes_on
                    return error

        results = await _all([one(index, item) for index, item in enumerate(items)])
        errors = [each for each in results if isinstance(each, StepFailed)]
        if errors and not goes_on:
            self.errors[name] = [each.told(each.name) for each in errors[1:]]
            raise errors[0]
        return [
            {"error": {"type": each.type, "message": each.message}} if isinstance(each, StepFailed) else each
            for each in results
        ]

    def _items(self, name: str, template: Any, most: int) -> list[Any]:
        try:
            items = rendered(template, self.scope)
        except Missing as error:
            raise StepFailed(name, "Missing", str(error), 0) from None
        if not is_list(items):
            raise StepFailed(name, "NotAList", f"`for_each` refers to no list but {_kind(items)}", 0)
        if len(items) > most:
            raise StepFailed(name, "TooMany", f"{len(items)} items are more than the `most` of {most}", 0)
        return items

    def _fail(self, name: str, node: Node, error: StepFailed) -> None:
        self.states[name] = {"state": "failed"}
        self.errors[name] = [error.told(error.name), *self.errors.get(name, ())]
        if node.get("on_error") != "continue":
            self.failed = True

    def _outcome(self) -> Outcome:
        nodes: dict[str, NodeState] = {name: self.states.get(name, {"state": "pending"}) for name in self.flow["nodes"]}
        errors = [error for name in self.flow["nodes"] for error in self.errors.get(name, ())]
        if self.failed:
            return {"state": "failed", "result": None, "errors": errors, "nodes": nodes}
        try:
            result = rendered(self.flow.get("result"), self.scope)
        except Missing as error:
            told: StepError = {"node": "result", "type": "Missing", "message": str(error), "attempts": 0}
            return {"state": "failed", "result": None, "errors": [*errors, told], "nodes": nodes}
        return {"state": "completed", "result": result, "errors": errors, "nodes": nodes}


def _numbers(nodes: Mapping[str, Node]) -> dict[str, int]:
    """The number of each node's first step."""
    found: dict[str, int] = {}
    number = 0
    for name, node in nodes.items():
        found[name] = number
        number += node.get("most", 0) if "for_each" in node else 1
    return found


def _waits_for(flow: Flow) -> dict[str, Collection[str]]:
    """The nodes that have to be over before each begins."""
    after = {name: node["after"] for name, node in flow["nodes"].items()}
    if flow.get("start_when") != "level":
        return {**after}
    found: dict[str, Collection[str]] = {}
    before: list[str] = []
    for level in levels(after):
        found.update(dict.fromkeys(level, tuple(before)))
        before.extend(level)
    return found


def _needed(node: Node) -> set[str]:
    """The nodes whose results it cannot do without."""
    templates = (node.get("with", {}), node.get("for_each", ""))
    found = (reference for template in templates for _, reference in references(template))
    return {each.node for each in found if each.node is not None and not each.has_default}


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return "a text" if isinstance(value, str) else "a number" if isinstance(value, int | float) else "an object"


async def _all(works: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """What all of these come to. Where one raises, the others are cancelled and waited for."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await _ended(tasks)


async def _ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel what is under way, and wait until it is over."""
    left = [task for task in tasks if not task.done()]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)
