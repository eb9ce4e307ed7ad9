"""`oneiric action`: an action called once, in a running process or without one."""

from __future__ import annotations

import json as jsons
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneiric_compiler.cli import complete
from oneiric_compiler.cli.errors import CommandError, compiler_extra
from oneiric_compiler.cli.processes import Asked, Json, Name, State, Timeout
from oneiric_compiler.cli.runs import Payload, Profile, Tenant, alone, answer, payload_of, wiring
from oneiric_compiler.text.paint import Line
from oneiric_compiler.text.visible import visible

if TYPE_CHECKING:
    from oneiric.serve.alone import Alone

app = typer.Typer(no_args_is_help=True, help="Actions: call one.")
_DOMAIN = "action"

Action = Annotated[
    str,
    typer.Argument(
        metavar="KEY", help="`compression.hash`, or `action:compression.hash`.", autocompletion=complete.ACTIONS
    ),
]


@app.callback()
def actions() -> None:
    """Keeps `invoke` a command of its own while it is the only one."""


@app.command("invoke")
def invoke(
    context: typer.Context,
    key: Action,
    payload: Payload = "{}",
    tenant: Tenant = None,
    profile: Profile = None,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Call an action and show its result; 1 when it fails. In the running process, else in this one; a built-in that
    is not bound is linked for this call."""
    asked = Asked(context.obj, name, state, timeout, json)
    full = _full(key)
    given: dict[str, Any] = {"key": full, "payload": payload_of(payload), "tenant": tenant}

    async def here(rooms: Alone) -> dict[str, Any]:
        return await rooms.invoking.invoke(**given)

    folder = asked.at_most_one()
    document = asked.ask(folder, "action-invoke", **given) if folder else None
    if document is None and _is_bound(asked.root, profile, full):
        document = alone(asked, profile, here, checkpoints=None)
    if document is None or (document["state"] == "unserved" and not _is_bound(asked.root, profile, full)):
        with TemporaryDirectory(prefix="oneiric-") as scratch:
            path = _linked(asked, profile, full, Path(scratch))
            document = alone(asked, profile, here, checkpoints=None, path=path)
    if document["state"] in ("refused", "unserved"):
        raise CommandError(document["error"]["message"], help=_help(full, document))
    answer(document, json, _told(document))
    raise typer.Exit(0 if document["state"] == "completed" else 1)


def _full(key: str) -> str:
    domain, colon, name = key.partition(":")
    if "#" in key or (colon and (domain != _DOMAIN or not name)) or not key:
        raise CommandError(f"`{key}` is not the key of an action", help="write `compression.hash`")
    return key if colon else f"{_DOMAIN}:{key}"


def _is_bound(root: Path, profile: str | None, full: str) -> bool:
    from oneiric.wiring import aliases_of, domains_of

    shown = wiring(root, profile)
    bound = {binding.key for _, _, bindings in domains_of(shown) for binding in bindings.values()}
    return full in bound or full in {alias.key for _, _, alias in aliases_of(shown)}


def _linked(asked: Asked, profile: str | None, full: str, scratch: Path) -> Path:
    """A wiring of the settings as they are now in which this action is bound as well. Raises CommandError where there
    is none of that name, Exit where the settings have errors."""
    with compiler_extra("action invoke"):
        from oneiric_compiler.cli import projects
        from oneiric_compiler.diagnostics.found import Diagnostics
        from oneiric_compiler.questions.wanting import Unknown, wanting

    diagnostics = Diagnostics()
    try:
        files = wanting(projects.project_at(asked.root), full, profile, diagnostics)
    except Unknown as error:
        raise CommandError(str(error), help=error.help) from None
    if files is None:
        raise projects.failed(diagnostics, asked.root, json=asked.json)
    for file, data in files.items():
        (scratch / file).write_bytes(data)
    return scratch / "wiring.py"


def _help(full: str, document: Mapping[str, Any]) -> str | None:
    from oneiric_compiler.resources import schemas

    name = full.partition(":")[2]
    if document["state"] == "refused" and (schemas() / "settings" / _DOMAIN / name).is_dir():
        return f"docs/actions/{name}.md has its payload"
    return None


def _told(document: Mapping[str, Any]) -> list[Line]:
    error = document["error"]
    if error is None:
        text = jsons.dumps(document["result"], ensure_ascii=False, indent=2)
        return [[(visible(line), "plain")] for line in text.splitlines()]
    why = visible(f"{error['type']}: {error['message']}")
    return [[("failed", "red"), (f": {document['key']}", "plain")], [(f"  {why}", "plain")]]
