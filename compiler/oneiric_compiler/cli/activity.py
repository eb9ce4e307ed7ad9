"""`oneiric pause` and `drain`: keys that take no new activations for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from oneiric_compiler.cli import processes
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import result, result_json, warn
from oneiric_compiler.cli.processes import Asked, Domain, Json, Key, Name, State, Timeout
from oneiric_compiler.text.paint import Line
from oneiric_compiler.text.visible import visible

Note = Annotated[str | None, typer.Option(metavar="TEXT", help="Why; shown by status and to whoever is refused.")]
Resume = Annotated[bool, typer.Option("--resume", help="Remove the note.")]


def _command(kind: str, does: str) -> Callable[..., None]:
    def note(
        context: typer.Context,
        key: Key,
        note: Note = None,
        resume: Resume = False,
        domain: Domain = None,
        name: Name = None,
        state: State = None,
        timeout: Timeout = None,
        json: Json = False,
    ) -> None:
        _note(Asked(context.obj, name, state, timeout, json), kind, processes.full_key(key, domain), note, resume)

    note.__doc__ = does
    return note


pause = _command("pause", "Activate nothing new of a key; what is active goes on. Kept across restarts.")
drain = _command(
    "drain", "Like pause, and close what is active of the key when its last use ends. Exits with 1 when that fails."
)


def _note(asked: Asked, kind: str, key: str, note: str | None, resume: bool) -> None:
    if resume and note is not None:
        raise CommandError("--resume removes the note: leave out --note")
    answer = asked.ask(asked.one(), kind, key=key, note=note or "no note", resume=resume)
    if asked.json:
        result_json({"format": "oneiric.note/1", **answer})
    else:
        did = {"pause": "paused", "drain": "drained"}[kind]
        lines: list[Line] = [[(f"no longer {did}" if resume else did, "green"), (f": {key}", "plain")]]
        for each, at in answer["notes"].items():
            lines.append([(f"  {each}  {visible(at['note'])} (since {at['since']})", "plain")])
        result(lines)
        for report in answer["reports"]:
            warn(visible(report))
    raise typer.Exit(1 if answer["reports"] else 0)
