"""`oneiric schedule`: what is due when, how far it came, firing it where no process stays, and upstream's schedules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneiric_compiler.cli import complete
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import log, result, result_json, result_text
from oneiric_compiler.cli.processes import Asked, Json, Name, State, Timeout
from oneiric_compiler.cli.runs import (
    STYLES,
    CheckpointFile,
    Profile,
    alone,
    answer,
    ask,
    checkpoints_of,
    table,
    wiring,
)  # fmt: skip
from oneiric_compiler.diagnostics.found import did_you_mean
from oneiric_compiler.text.paint import Line
from oneiric_compiler.text.redact import masked
from oneiric_compiler.text.visible import visible

if TYPE_CHECKING:
    from oneiric.engines.firing import Planned
    from oneiric.serve.alone import Alone

    from oneiric_compiler.settings.upstream_schedules import Finding

app = typer.Typer(no_args_is_help=True, help="Schedules: what is due when, firing it, and upstream's.")


@app.command("list")
def list_schedules(
    context: typer.Context,
    profile: Profile = None,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Show the schedules: when each is due next, and what became of its ticks."""
    document = ask(Asked(context.obj, name, state, timeout, json), profile, "schedule-list")
    rows = [("schedule", "timing", "call", "next", "runs", "dropped")] if document["schedules"] else []
    rows += [
        (
            each["name"] + (f"@{each['tenant']}" if each["tenant"] else ""), each["timing"], each["call"],
            each["next"] or "never", str(each["runs"]), str(each["dropped"]),
        )
        for each in document["schedules"]
    ]  # fmt: skip
    answer(document, json, table(rows) or [[("no schedules", "dim")]])


@app.command("next")
def next_ticks(
    context: typer.Context,
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="The name of a schedule.", autocompletion=complete.SCHEDULES)
    ],
    after: Annotated[
        str | None, typer.Option("--from", metavar="INSTANT", help="After this instant (default: now).")
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, max=10_000, metavar="N", help="So many.")] = 5,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Show when a schedule is due, in UTC, strictly after an instant; as the committed wiring has it."""
    from datetime import UTC, datetime
    from itertools import islice

    from oneiric.envelope import instant
    from oneiric.flows.ticks import instant_of, ticks_after

    plan = _plan(context, key, profile)
    try:
        begin = datetime.now(UTC) if after is None else instant_of(after)
    except ValueError as error:
        raise CommandError(f"--from: {error}", help="write an instant such as 2026-10-25T00:00:00Z") from error
    ticks = [instant(each) for each in islice(ticks_after(plan.schedule, begin), count)]
    document = {"format": "oneiric.schedule-next/1", "schedule": key, "from": instant(begin), "ticks": ticks}
    lines: list[Line] = [[(tick, "plain")] for tick in ticks]
    answer(document, json, lines or [[("never", "dim")]])


def _plan(context: typer.Context, key: str, profile: str | None) -> Planned:
    from oneiric.engines.firing import plan_of, schedules_of

    stated = schedules_of(wiring(context.obj, profile))
    name = key.removeprefix("task:")
    if name not in stated:
        raise CommandError(f"the wiring has no schedule `{key}`", help=did_you_mean(name, stated))
    return plan_of(name, None, stated[name])


@app.command("fire")
def fire(
    context: typer.Context,
    due: Annotated[bool, typer.Option("--due", help="What is due.")] = False,
    now: Annotated[
        str | None, typer.Option("--now", metavar="INSTANT", help="As if it were then (default: it is now).")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Carry the runs on here, and wait for their ends.")] = False,
    profile: Profile = None,
    checkpoints: CheckpointFile = None,
    json: Json = False,
) -> None:
    """Fire what is due, once whoever else does; with --wait, 1 when a run fails. For where no process stays."""
    if not due:
        raise CommandError("say what is to be fired", help="`oneiric schedule fire --due` fires what is due")

    async def here(rooms: Alone) -> dict[str, Any]:
        return await rooms.ticking.fire(now=now, wait=wait)

    asked = Asked(context.obj, json=json)
    document = alone(asked, profile, here, checkpoints=checkpoints_of(checkpoints, none=False))
    answer(document, json, _fired(document))
    raise typer.Exit(1 if wait and any(each["state"] != "completed" for each in document["runs"]) else 0)


def _fired(document: Mapping[str, Any]) -> list[Line]:
    lines: list[Line] = [
        [(each["state"], STYLES.get(each["state"], "plain")), (f": {each['id']}", "plain")] for each in document["runs"]
    ]
    return lines or [[("nothing is due", "dim")]]


@app.command("convert")
def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Upstream's schedules.json.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="A new file to write (default: stdout).")] = None,
    json: Json = False,
) -> None:
    """Write upstream's schedules as settings/tasks.yml has them; 1 when something cannot be said there."""
    from oneiric.files import put

    from oneiric_compiler.settings import upstream_schedules

    if out is not None and out.exists():
        raise CommandError(f"{out} exists: it is not written over", help="name a new file, and copy its entries")
    try:
        found = upstream_schedules.convert(file.read_bytes())
    except ValueError as error:
        raise CommandError(f"{file} holds no schedules of upstream: {error}") from error
    if out is not None:
        put(out.resolve(), found.settings().encode())
    if json:
        findings = [
            {**each._asdict(), "message": masked(each.message), "help": masked(each.help)} for each in found.findings
        ]
        written = None if out is None else str(out)
        document = {"format": "oneiric.schedule-convert/1", "file": written, "schedules": found.schedules}
        result_json({**document, "findings": findings})
    else:
        for each in found.findings:
            log(_told(file, each))
        if out is None:
            result_text(found.settings())
        else:
            result([[("written ", "green"), (f"{out}: {len(found.schedules)} of {found.jobs} jobs", "plain")]])
    raise typer.Exit(0 if found.whole else 1)


def _told(file: Path, finding: Finding) -> list[Line]:
    return [
        [
            (finding.severity, "yellow" if finding.severity == "warning" else "cyan"),
            (f": {visible(masked(finding.message))}", "bold"),
        ],
        [("  --> ", "blue"), (visible(f"{file}#{finding.at}"), "plain")],
        [("  = ", "blue"), ("help", "bold"), (f": {visible(masked(finding.help))}", "plain")],
    ]
