"""`oneiric workflow`: workflows run, and their runs looked after, in a running process or without one."""

from __future__ import annotations

import json as jsons
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneiric_compiler.cli import complete
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.processes import Asked, Json, Name, State, Timeout
from oneiric_compiler.cli.runs import (
    STYLES,
    CheckpointFile,
    Id,
    Key,
    NoCheckpoints,
    Payload,
    Profile,
    Queue,
    Run,
    Tenant,
    alone,
    answer,
    ask,
    checkpoints_of,
    payload_of,
    table,
    wiring,
)  # fmt: skip
from oneiric_compiler.text.paint import Line, Style
from oneiric_compiler.text.visible import visible

if TYPE_CHECKING:
    from oneiric.serve.alone import Alone

app = typer.Typer(no_args_is_help=True, help="Workflows: run them, and look after their runs.")
_WAIT = 20.0
_OVER = {"completed": 0, "failed": 1, "cancelled": 1, "parked": 1}


@app.command("run")
def run(
    context: typer.Context,
    key: Key,
    payload: Payload = "{}",
    id: Id = None,
    queue: Queue = None,
    tenant: Tenant = None,
    profile: Profile = None,
    checkpoints: CheckpointFile = None,
    no_checkpoints: NoCheckpoints = False,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Run a workflow and wait for its end; 1 when it fails. In the running process, else in this one."""
    asked = Asked(context.obj, name, state, timeout, json)
    kept = checkpoints_of(checkpoints, no_checkpoints)
    started = _started(key, payload, id, queue, tenant)

    async def here(rooms: Alone) -> dict[str, Any]:
        run = await rooms.runs.start(**started)
        while run["state"] not in _OVER:
            run = await rooms.runs.wait(id=run["id"], within=_WAIT)
        return run

    folder = None if kept is not None else asked.at_most_one()
    if folder is None:
        document = alone(asked, profile, here, checkpoints=kept, works=True)
    else:
        document = asked.ask(folder, "workflow-start", **started)
        while document["state"] not in _OVER:
            document = asked.ask(folder, "workflow-wait", id=document["id"], within=_WAIT)
    answer(document, json, _run_told(document))
    raise typer.Exit(_OVER[document["state"]])


@app.command("enqueue")
def enqueue(
    context: typer.Context,
    key: Key,
    payload: Payload = "{}",
    id: Id = None,
    queue: Queue = None,
    tenant: Tenant = None,
    profile: Profile = None,
    checkpoints: CheckpointFile = None,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Have a workflow run, by whichever process works, and do not wait."""
    started = _started(key, payload, id, queue, tenant)
    kept = checkpoints_of(checkpoints, none=False)
    document = ask(Asked(context.obj, name, state, timeout, json), profile, "workflow-start", kept=kept, **started)
    answer(document, json, _run_told(document))


@app.command("list")
def list_runs(
    context: typer.Context,
    key: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="Of this one alone.", autocompletion=complete.WORKFLOWS)
    ] = None,
    status: Annotated[
        str | None, typer.Option("--status", metavar="S", help="queued, running, completed, failed, cancelled, parked.")
    ] = None,
    queue: Annotated[
        str | None, typer.Option("--queue", metavar="Q", help="Of this queue.", autocompletion=complete.QUEUES)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, metavar="N", help="So many at most.")] = 100,
    profile: Profile = None,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Show the runs of workflows, the newest first."""
    wanted: dict[str, Any] = {"key": key and _full(key), "state": status, "queue": queue, "limit": limit}
    document = ask(Asked(context.obj, name, state, timeout, json), profile, "workflow-list", **wanted)
    rows = [
        (each["id"], each["key"], each["state"], each["submitted_at"], each["tenant"] or "")
        for each in document["runs"]
    ]
    answer(document, json, table(rows, styled=2) or [[("no runs", "dim")]])


@app.command("show")
def show(
    context: typer.Context,
    run: Run,
    profile: Profile = None,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Show a run: its state, and once it has ended its result and errors."""
    document = ask(Asked(context.obj, name, state, timeout, json), profile, "workflow-show", id=run)
    facts = ("tenant", "queue", "submitted_at", "started_at", "ended_at", "recoveries")
    more: list[Line] = [[(f"  {each:<13}{visible(str(document[each]))}", "plain")] for each in facts if document[each]]
    answer(document, json, [*_run_told(document), *more])


@app.command("steps")
def steps(
    context: typer.Context,
    run: Run,
    profile: Profile = None,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Show the steps of a run that are over."""
    document = ask(Asked(context.obj, name, state, timeout, json), profile, "workflow-steps", id=run)
    rows = [
        (str(each["number"]), each["name"], each["state"], each["ended_at"] or "", _why(each["error"]))
        for each in document["steps"]
    ]
    answer(document, json, table(rows, styled=2) or [[("no step is over", "dim")]])


@app.command("cancel")
def cancel(
    context: typer.Context,
    run: Run,
    profile: Profile = None,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """End a run; 1 when it was over already."""
    document = ask(Asked(context.obj, name, state, timeout, json), profile, "workflow-cancel", id=run)
    answer(document, json, [[(document["state"], _style(document)), (f": {visible(run)}", "plain")]])
    raise typer.Exit(0 if document["changed"] else 1)


@app.command("retry")
def retry(
    context: typer.Context,
    run: Run,
    step: Annotated[
        str | None, typer.Option("--step", metavar="STEP", help="From this step on (default: from those that failed).")
    ] = None,
    profile: Profile = None,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Let a run that failed, was cancelled or is parked go on."""
    asked = Asked(context.obj, name, state, timeout, json)
    document = ask(asked, profile, "workflow-retry", id=run, step=step)
    answer(document, json, [[(document["state"], _style(document)), (f": {visible(run)}", "plain")]])


@app.command("graph")
def graph(context: typer.Context, key: Key, profile: Profile = None, json: Json = False) -> None:
    """Show what a workflow calls, level by level. Read from the committed wiring."""
    from oneiric.declared import flow_of
    from oneiric.flows.graph import levels
    from oneiric.wiring import domains_of

    full = _full(key)
    shown = wiring(context.obj, profile)
    blocks = {binding.key: flow_of(binding) for _, _, bindings in domains_of(shown) for binding in bindings.values()}
    block = blocks.get(full)
    if block is None:
        known = ", ".join(sorted(each for each, flow in blocks.items() if flow is not None)) or "none"
        raise CommandError(f"the settings declare no {full}", help=f"they declare {known}")
    nodes = block.flow["nodes"]
    order = [list(level) for level in levels({name: node["after"] for name, node in nodes.items()})]
    lines: list[Line] = [[(full, "bold")]]
    for number, level in enumerate(order, 1):
        for name in level:
            after = f"  after {', '.join(nodes[name]['after'])}" if nodes[name]["after"] else ""
            lines.append([(f"  {number}  {visible(name)}  {visible(nodes[name]['call'])}", "plain"), (after, "dim")])
    document = {"format": "oneiric.workflow-graph/1", "key": full, "levels": order, "nodes": nodes}
    answer(document, json, lines)


def _started(key: str, payload: str, id: str | None, queue: str | None, tenant: str | None) -> dict[str, Any]:
    return {"key": _full(key), "payload": payload_of(payload), "id": id, "queue": queue, "tenant": tenant}


def _full(key: str) -> str:
    return key if ":" in key else f"workflow:{key}"


def _run_told(document: Mapping[str, Any]) -> list[Line]:
    head: Line = [
        (document["state"], _style(document)),
        (f": {document['key']}, run {visible(document['id'])}", "plain"),
    ]
    lines: list[Line] = [head]
    if document["why"]:
        lines.append([(f"  {visible(document['why'])}", "plain")])
    lines.extend([(f"  {visible(each['node'])}", "bold"), (f"  {_why(each)}", "plain")] for each in document["errors"])
    if document["state"] == "completed":
        lines.append([(f"  {visible(jsons.dumps(document['result'], ensure_ascii=False))}", "plain")])
    return lines


def _why(error: Mapping[str, Any] | None) -> str:
    if error is None:
        return ""
    again = f" (attempt {error['attempts']})" if error["attempts"] > 1 else ""
    return visible(f"{error['type']}: {error['message']}{again}")


def _style(document: Mapping[str, Any]) -> Style:
    return STYLES.get(document["state"], "plain")
