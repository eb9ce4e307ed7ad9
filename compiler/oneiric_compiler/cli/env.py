"""`oneiric env`: what a wiring reads of its environment."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from oneiric_compiler.cli import complete
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import result, result_json, result_text
from oneiric_compiler.cli.processes import Json


class Format(StrEnum):
    text = "text"
    json = "json"
    dotenv = "dotenv"


def env(
    context: typer.Context,
    profile: Annotated[
        str | None, typer.Option(metavar="P", help="The profile (default: the base).", autocompletion=complete.PROFILES)
    ] = None,
    format: Annotated[
        Format, typer.Option(help="How it is written; dotenv is a template of a .env file.")
    ] = Format.text,
    json: Json = False,
) -> None:
    """List every environment variable and secret that keys need, with type, default and the setting that wants it."""
    from oneiric_compiler.cli import reports
    from oneiric_compiler.questions import environment

    if json and format is Format.dotenv:
        raise CommandError("--json and --format dotenv exclude each other")
    report, locate = reports.load(context.obj, profile, None)
    if json or format is Format.json:
        result_json(environment.document(report, locate))
    elif format is Format.dotenv:
        result_text(environment.dotenv(report, locate))
    else:
        result(environment.tell(report, locate))
