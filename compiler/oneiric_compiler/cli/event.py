"""`oneiric event`: events emitted, and those that could not be delivered, in a running process or without one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from oneiric_compiler.cli import complete
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.processes import Asked, Json, Name, State, Timeout
from oneiric_compiler.cli.runs import (
    CheckpointFile,
    NoCheckpoints,
    Profile,
    Tenant,
    alone,
    answer,
    ask,
    checkpoints_of,
    payload_of,
)  # fmt: skip
from oneiric_compiler.text.paint import Line, Style
from oneiric_compiler.text.visible import visible

if TYPE_CHECKING:
    from oneiric.serve.alone import Alone

app = typer.Typer(no_args_is_help=True, help="Events: emit them, and look after those that were not delivered.")
_STYLES: Mapping[str, Style] = {"failed": "red", "completed": "green"}
Dead: TypeAlias = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Dead letters, as `dead` has them.")]


@app.command("emit")
def emit(
    context: typer.Context,
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="A declared topic.", autocompletion=complete.TOPICS)],
    payload: Annotated[
        str, typer.Option("--payload", metavar="JSON|@FILE", help="The event: an object of JSON; `@-` reads stdin.")
    ] = "{}",
    id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="One event, however often it is emitted under this id.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="URI", help="Where it comes from (default: the app's name).")
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", metavar="INSTANT", help="When it happened (default: now).")
    ] = None,
    subject: Annotated[str | None, typer.Option("--subject", metavar="TEXT", help="What it is about.")] = None,
    tenant: Tenant = None,
    profile: Profile = None,
    checkpoints: CheckpointFile = None,
    no_checkpoints: NoCheckpoints = False,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Emit an event; 1 when a handler fails for good. Without a running process durable deliveries are waited for."""
    asked = Asked(context.obj, name, state, timeout, json)
    kept = checkpoints_of(checkpoints, no_checkpoints)
    given: dict[str, Any] = {
        "topic": topic, "payload": payload_of(payload), "tenant": tenant,
        "id": id, "source": source, "time": time, "subject": subject,
    }  # fmt: skip
    folder = None if kept is not None else asked.at_most_one()
    if folder is not None:
        document = asked.ask(folder, "event-emit", **given)
    else:

        async def here(rooms: Alone) -> dict[str, Any]:
            return await rooms.messages.emit_and_wait(**given)

        document = alone(asked, profile, here, checkpoints=kept)
    answer(document, json, _told(document))
    raise typer.Exit(1 if any(each["state"] == "failed" for each in document["handlers"]) else 0)


@app.command("dead")
def dead(
    context: typer.Context,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", metavar="ID", help="Remove this one, for good; may be repeated.")
    ] = None,
    profile: Profile = None,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Show the events that could not be delivered, or drop some."""
    asked = Asked(context.obj, name, state, timeout, json)
    if drop:
        _changed(ask(asked, profile, "event-drop", ids=drop), json)
        return
    document = ask(asked, profile, "event-dead")
    lines: list[Line] = []
    for each in document["dead"]:
        lines.append([(visible(each["id"]), "bold"), (f"  {each['at'] or ''}", "dim")])
        lines.extend(
            [(f"  {visible(error['type'])}: {visible(error['message'])}", "plain")] for error in each["errors"]
        )
    answer(document, json, lines or [[("no dead letters", "dim")]])


@app.command("retry")
def retry(
    context: typer.Context,
    ids: Dead = None,
    every: Annotated[bool, typer.Option("--all", help="All there are.")] = False,
    profile: Profile = None,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Deliver events again that could not be delivered."""
    if bool(ids) == every:
        raise CommandError("name dead letters, or say --all", help="`oneiric event dead` lists them")
    _changed(ask(Asked(context.obj, name, state, timeout, json), profile, "event-retry", ids=ids or []), json)


def _changed(document: Mapping[str, Any], json: bool) -> None:
    lines: list[Line] = [[(f"{document['change']}: ", "plain"), (visible(each), "bold")] for each in document["ids"]]
    answer(document, json, lines or [[("no dead letters", "dim")]])


def _told(document: Mapping[str, Any]) -> list[Line]:
    lines: list[Line] = [[(f"{document['topic']}, event {visible(document['id'])}", "plain")]]
    for each in document["handlers"]:
        why = f": {visible(each['error'])}" if each["error"] else ""
        again = f" (attempt {each['attempts']})" if each["attempts"] > 1 else ""
        lines.append(
            [
                (f"  {each['state']}", _STYLES.get(each["state"], "plain")),
                (f"  {visible(each['handler'])}{why}{again}", "plain"),
            ]
        )
    return lines if document["handlers"] else [*lines, [("  nobody listens", "dim")]]
