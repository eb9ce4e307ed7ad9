"""`oneiric secrets`: secrets of a running process."""

from __future__ import annotations

from typing import Annotated

import typer

from oneiric_compiler.cli import complete
from oneiric_compiler.cli.operate import change
from oneiric_compiler.cli.processes import Asked, Json, Name, State, Timeout

app = typer.Typer(no_args_is_help=True, help="Secrets of a running process.")


@app.callback()
def secrets() -> None:
    """Secrets of a running process."""


@app.command("rotate")
def rotate(
    context: typer.Context,
    secrets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SECRET]...",
            help="`DB_PASSWORD`, as in `${ONEIRIC_SECRET_DB_PASSWORD}`. Default: all.",
            autocompletion=complete.SECRETS,
        ),
    ] = None,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Fetch secrets anew, and restart what has another one now, without a failed call; 1 when that is rejected."""
    asked = Asked(context.obj, name, state, timeout, json)
    change(asked, "rotated", "secrets-rotate", names=secrets or [])
