"""`oneiric history`: what a process has been wired to, and who changed that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer
from oneiric.errors import StateError
from oneiric.reload.outcome import Overrides
from oneiric.reload.state import recorded
from oneiric.serve.history import history_of

from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import result, result_json
from oneiric_compiler.cli.processes import Asked, Json, Name, State, Timeout
from oneiric_compiler.text.paint import Line
from oneiric_compiler.text.visible import visible

_SHORT = 12


def history(
    context: typer.Context, name: Name = None, state: State = None, timeout: Timeout = None, json: Json = False
) -> None:
    """Show who changed what a process is wired to.

    The latest first, with when and why: `*` is the generation that it has, `+` one that `rollback --to` returns to.
    """
    asked = Asked(context.obj, name, state, timeout, json)
    up = asked.at_most_one()
    document = asked.ask(up, "history") if up is not None else _left(asked)
    if json:
        result_json(document)
    else:
        result(_lines(document))


def _left(asked: Asked) -> dict[str, Any]:
    """The history of a process that has ended. Raises CommandError where there is none, or more than one."""
    try:
        left = {folder.name: found for folder in asked.folders() if (found := recorded(folder.path)) is not None}
    except StateError as error:
        raise CommandError(str(error)) from error
    if len(left) != 1:
        help = f"name one with --name: {', '.join(left)}" if left else None
        raise CommandError("no process is running here" + (", and several were" if left else ""), help=help)
    (record,) = left.values()
    return history_of(record)


def _lines(document: Mapping[str, Any]) -> list[Line]:
    known = [each["generation"] for each in document["generations"]]
    by = max((len(each["by"]) for each in document["changes"]), default=0)
    lines: list[Line] = []
    for change in document["changes"]:
        digest = change["generation"]
        mark = "*" if digest == known[0] else "+" if digest in known else " "
        lines.append(
            [
                (f"{mark} {visible(digest[:_SHORT])}  ", "plain" if digest in known else "dim"),
                (f"{visible(change['at'])}  {visible(change['by']):<{by}}  ", "dim"),
                (visible(_what(change)), "plain"),
            ]
        )
        why: list[Line] = [[(f"    {visible(line)}", "plain")] for line in _why(change)]
        lines += why
    return lines


def _what(change: Mapping[str, Any]) -> str:
    if change["what"] == "rollback":
        return f"rollback from {change['previous'][:_SHORT]}"
    if change["what"] != "swap":
        serial = f"(serial {change['serial']})" if "serial" in change else None
        return " ".join(filter(None, (change["what"], change.get("source"), serial)))
    whose = f" for tenant {change['tenant']}" if "tenant" in change else ""
    whose += " and all tenants" if change.get("all_tenants") else ""
    settings = ", with settings that were edited since" if change.get("with_settings") else ""
    return (
        f"swap {change['key']} -> {change['provider']}{whose}{settings}"
        if change["provider"]
        else (f"swap of {change['key']} cleared{whose}{settings}")
    )


def _why(change: Mapping[str, Any]) -> list[str]:
    """What was noted about a change, one line each."""
    told = [change["note"]] if "note" in change else []
    if "dropped" in change:
        told.append(f"dropped the swaps of the last run: {Overrides.of(change['dropped']).words()}")
    return [line for text in (*told, change.get("reason", "")) for line in text.strip().splitlines()]
