"""The action `workflow.orchestrate`: steps put in order, and run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, NotRequired, Protocol, TypedDict, cast
from uuid import uuid4

from oneiric import Application, component
from oneiric.actions import Json
from oneiric.actions._payload import Fields, chosen, payload_of, settings_of
from oneiric.flows.attempts import attempted
from oneiric.flows.graph import cycle, levels
from oneiric.flows.interpreter import interpret
from oneiric.flows.model import ONCE, Flow, Node, Outcome, Step, StepError, StepFailed, Submission, Unserved
from oneiric.flows.references import references
from oneiric.stepping import token

_KEY: Final = "workflow.orchestrate"
_STEP = (
    "step_id", "name", "action", "depends_on", "payload", "retry_attempts", "timeout_seconds", "metadata", "tags"
)  # fmt: skip
_MOST_STEPS = 10_000
_MOST_SECONDS = 24 * 3600.0


class StepGiven(TypedDict):
    """A step.

    `step_id`: what it is called by others.
    `name`: what it is called by people; the id by default.
    `action`: what it calls: the key of an action, or `DOMAIN:KEY`. A plan alone may leave it out.
    `depends_on`: the steps that have to be over before it begins, besides those whose results its payload refers to.
    `payload`: what it is called with; `${input.x}` and `${STEP.x}` in texts refer to what is there by then.
    `retry_attempts`: how many calls it has at most; the setting by default.
    `timeout_seconds`: how long one call may take; the setting by default.
    `metadata`: handed on.
    `tags`: handed on.
    """

    step_id: str
    name: NotRequired[str | None]
    action: NotRequired[str | None]
    depends_on: NotRequired[list[str] | None]
    payload: NotRequired[dict[str, Json] | None]
    retry_attempts: NotRequired[int | None]
    timeout_seconds: NotRequired[float | None]
    metadata: NotRequired[dict[str, Json] | None]
    tags: NotRequired[list[str] | None]


class StepTold(TypedDict):
    """What became of a step.

    `step_id`: as given.
    `name`: as given, else the id.
    `action`: what it calls; null where the plan does not say.
    `depends_on`: the steps that it waits for, in their order.
    `state`: `completed`, `failed`, `skipped`, `pending` where it never began, or `planned`.
    `result`: what the call gave.
    `retry_attempts`: how many calls it has at most.
    `timeout_seconds`: how long one call may take.
    `metadata`: as given.
    `tags`: as given.
    """

    step_id: str
    name: str
    action: str | None
    depends_on: list[str]
    state: str
    result: Json
    retry_attempts: int
    timeout_seconds: float
    metadata: dict[str, Json]
    tags: list[str]


class Stats(TypedDict):
    """Counts.

    `levels`: how many groups of steps come one after another.
    `widest`: how many steps the largest of them has.
    `completed`: how many steps completed.
    `failed`: how many failed.
    """

    levels: int
    widest: int
    completed: int
    failed: int


class Orchestrated(TypedDict):
    """The order of steps, and what became of them.

    `status`: `completed`, `failed`, or `planned` where nothing was run.
    `workflow_id`: as given.
    `name`: as given, else the id.
    `version`: as given, else as the settings say.
    `run_token`: what tells this run from every other.
    `step_count`: how many steps there are.
    `schedule`: the steps in groups, each of which depends on those before it.
    `ordered_steps`: the steps in the order in which they may begin.
    `steps`: what became of each, as they were given.
    `graph`: the steps that each waits for.
    `stats`: counts.
    `errors`: why steps failed, in their order.
    """

    status: str
    workflow_id: str
    name: str
    version: str
    run_token: str
    step_count: int
    schedule: list[list[str]]
    ordered_steps: list[str]
    steps: list[StepTold]
    graph: dict[str, list[str]]
    stats: Stats
    errors: list[StepError]


class Orchestrate(Protocol):
    """Puts steps in order by what they depend on and runs them: those that may, at once; none after one that failed.

    `workflow_id`: what is run.
    `steps`: its steps.
    `name`: what it is called by people; the id by default.
    `version`: handed on; the setting by default.
    `input`: what steps refer to as `${input}`.
    `dry_run`: whether it is only planned.
    """

    async def __call__(
        self,
        *,
        workflow_id: str,
        steps: list[StepGiven],
        name: str | None = None,
        version: str | None = None,
        input: Mapping[str, Json] | None = None,
        dry_run: bool = False,
    ) -> Orchestrated: ...


@component(
    "action",
    "workflow.orchestrate",
    provider="builtin-workflow-orchestrator",
    priority=0,
    stack_level=-10,
    capabilities=("plan", "graph", "versioned"),
    needs={"application": "oneiric:runtime"},
    port="oneiric.actions.orchestrate:Orchestrate",
)
class Orchestrator:
    """Runs steps by the keys of the application, here and now.

    `max_parallel_steps`: how many calls are made at once.
    `default_version`: the version, where a payload does not say.
    `default_retry_attempts`: how many calls a step has at most, where it does not say.
    `default_timeout_seconds`: how long one call may take, where a step does not say.
    """

    def __init__(
        self,
        *,
        application: Application,
        max_parallel_steps: int = 4,
        default_version: str = "1.0.0",
        default_retry_attempts: int = 1,
        default_timeout_seconds: float = 300.0,
    ) -> None:
        checks = settings_of(_KEY, "builtin-workflow-orchestrator")
        self._application = application
        self._at_once = checks.integer("max_parallel_steps", max_parallel_steps, 1, _MOST_STEPS)
        self._version = checks.text("default_version", default_version, empty=False)
        self._attempts = checks.integer("default_retry_attempts", default_retry_attempts, 1, 100)
        self._timeout = checks.number("default_timeout_seconds", default_timeout_seconds, 0.001, _MOST_SECONDS)

    async def __call__(
        self,
        *,
        workflow_id: str,
        steps: list[StepGiven],
        name: str | None = None,
        version: str | None = None,
        input: Mapping[str, Json] | None = None,
        dry_run: bool = False,
    ) -> Orchestrated:
        checks = payload_of(_KEY)
        id = checks.text("workflow_id", workflow_id, empty=False)
        told = _steps(checks, steps, self._attempts, self._timeout)
        planned = checks.boolean("dry_run", dry_run)
        payload = checks.mapping("input", {} if input is None else input)
        order = _order(checks, told)
        run = token() or uuid4().hex
        made: Orchestrated = {
            "status": "planned",
            "workflow_id": id,
            "name": id if name is None else checks.text("name", name, empty=False),
            "version": checks.text("version", chosen(version, self._version), empty=False),
            "run_token": str(run),
            "step_count": len(told),
            "schedule": order,
            "ordered_steps": [step for level in order for step in level],
            "steps": [step for step, _ in told],
            "graph": {step["step_id"]: step["depends_on"] for step, _ in told},
            "stats": {"levels": len(order), "widest": max(map(len, order), default=0), "completed": 0, "failed": 0},
            "errors": [],
        }
        if not planned:
            results: dict[str, Json] = {}
            outcome = await self._run(_flow(checks, told, order), made["run_token"], payload, results)
            _tell(made, outcome, results)
        return made

    async def _run(self, flow: Flow, run: str, payload: dict[str, Json], results: dict[str, Json]) -> Outcome:
        free = asyncio.Semaphore(self._at_once)

        async def perform(step: Step) -> Any:
            async with free:
                try:
                    made = await attempted(step, lambda: self._application.call(step.call, step.payload))
                except Unserved as error:
                    raise StepFailed(step.name, "Unserved", str(error), 1) from error
            results[step.name] = made
            return made

        return await interpret(Submission(run, flow, payload), perform)


def _steps(checks: Fields, steps: Any, attempts: int, timeout: float) -> list[tuple[StepTold, dict[str, Json]]]:
    """The steps, each with its payload, if their names and what they name are sound."""
    if not isinstance(steps, list | tuple):
        raise checks.wrong("steps", "is not a list of steps")
    given = [checks.mapping(f"steps[{number}]", each) for number, each in enumerate(cast("Sequence[Any]", steps))]
    if not 0 < len(given) <= _MOST_STEPS:
        raise checks.wrong("steps", f"has {len(given)} steps, and 1 to {_MOST_STEPS} are allowed")
    names: list[str] = []
    for number, step in enumerate(given):
        field = f"steps[{number}].step_id"
        if "step_id" not in step:
            raise checks.wrong(field, "is missing")
        name = checks.text(field, step["step_id"], empty=False)
        if name in names or name in ("input", "item", "tick"):
            raise checks.wrong(field, "is taken already")
        names.append(name)
    return [_step(checks, f"steps[{number}]", step, names, attempts, timeout) for number, step in enumerate(given)]


def _step(
    checks: Fields, field: str, step: dict[str, Json], names: list[str], attempts: int, timeout: float
) -> tuple[StepTold, dict[str, Json]]:
    for name in step:
        if name not in _STEP:
            raise checks.wrong(f"{field}.{name}", f"is none of {', '.join(_STEP)}")
    payload = checks.mapping(f"{field}.payload", chosen(step.get("payload"), {}))
    wanted = {*checks.texts(f"{field}.depends_on", chosen(step.get("depends_on"), []))}
    for name in wanted:
        if name not in names:
            raise checks.wrong(f"{field}.depends_on", "names a step that there is not")
    wanted |= _referred(checks, f"{field}.payload", payload, names)
    action = step.get("action")
    within = chosen(step.get("timeout_seconds"), timeout)
    told: StepTold = {
        "step_id": step["step_id"],
        "name": checks.text(f"{field}.name", chosen(step.get("name"), step["step_id"]), empty=False),
        "action": None if action is None else _called(checks, f"{field}.action", action),
        "depends_on": [name for name in names if name in wanted],
        "state": "planned",
        "result": None,
        "retry_attempts": checks.integer(
            f"{field}.retry_attempts", chosen(step.get("retry_attempts"), attempts), 1, 100
        ),
        "timeout_seconds": checks.number(f"{field}.timeout_seconds", within, 0.001, _MOST_SECONDS),
        "metadata": checks.mapping(f"{field}.metadata", chosen(step.get("metadata"), {})),
        "tags": checks.texts(f"{field}.tags", chosen(step.get("tags"), [])),
    }
    return told, payload


def _called(checks: Fields, field: str, action: Json) -> str:
    call = checks.text(field, action, empty=False)
    return call if ":" in call else f"action:{call}"


def _referred(checks: Fields, field: str, payload: Json, names: list[str]) -> set[str]:
    """The steps that a payload refers to."""
    try:
        found = {reference.root for _, reference in references(payload)}
    except ValueError as error:
        raise checks.wrong(field, f"has a reference that cannot be read: {error}") from None
    for name in found - {"input", *names}:
        raise checks.wrong(field, f"refers to `{name}`, which is no step")
    return found - {"input"}


def _order(checks: Fields, told: list[tuple[StepTold, dict[str, Json]]]) -> list[list[str]]:
    after = {step["step_id"]: step["depends_on"] for step, _ in told}
    if circle := cycle(after):
        raise checks.wrong("steps", f"wait for each other: {' -> '.join(circle)}")
    return [list(level) for level in levels(after)]


def _flow(checks: Fields, told: list[tuple[StepTold, dict[str, Json]]], order: list[list[str]]) -> Flow:
    by_name = {step["step_id"]: (number, step, payload) for number, (step, payload) in enumerate(told)}
    nodes: dict[str, Node] = {}
    for number, step, payload in (by_name[name] for level in order for name in level):
        if step["action"] is None:
            raise checks.wrong(
                f"steps[{number}].action", "is missing: without it a step can be planned alone, by `dry_run`"
            )
        nodes[step["step_id"]] = {
            "call": step["action"],
            "after": step["depends_on"],
            "with": payload,
            "retry": {**ONCE, "attempts": step["retry_attempts"]},
            "timeout": step["timeout_seconds"],
        }
    return {"key": f"action:{_KEY}", "nodes": nodes}


def _tell(made: Orchestrated, outcome: Outcome, results: Mapping[str, Json]) -> None:
    made["status"], made["errors"] = outcome["state"], outcome["errors"]
    for step in made["steps"]:
        step["state"] = outcome["nodes"][step["step_id"]]["state"]
        step["result"] = results.get(step["step_id"])
    states = [step["state"] for step in made["steps"]]
    made["stats"]["completed"], made["stats"]["failed"] = states.count("completed"), states.count("failed")
