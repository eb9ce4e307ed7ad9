"""`oneiric env`: what a wiring reads of its environment."""

from __future__ import annotations

import sys
from contextlib import chdir
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oneiric_compiler.cli import complete
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import result, result_json, result_text, warn
from oneiric_compiler.cli.processes import Json
from oneiric_compiler.cli.progress import working

if TYPE_CHECKING:
    from oneiric.preflight.check import Preflight
    from oneiric.wiring import Wiring


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
    check: Annotated[
        bool, typer.Option("--check", help="Try them here, with extras, modules and files: 1 when anything is missing.")
    ] = False,
    json: Json = False,
) -> None:
    """List every environment variable and secret that keys need, with type, default and the setting that wants it."""
    from oneiric_compiler.cli import reports
    from oneiric_compiler.questions import environment

    if format is Format.dotenv and (json or check):
        raise CommandError(f"{'--json' if json else '--check'} and --format dotenv exclude each other")
    report, locate = reports.load(context.obj, profile, None)
    found = _tried(context.obj, profile) if check else None
    if json or format is Format.json:
        document = environment.document(report, locate)
        result_json(document if found is None else {**document, **environment.missing_document(found, locate)})
    elif found is not None:
        result(environment.tell_missing(found, locate))
    elif format is Format.dotenv:
        result_text(environment.dotenv(report, locate))
    else:
        result(environment.tell(report, locate))
    if found is not None and found.unasked:
        warn(f"{found.unasked} of the secrets could not be asked for")
    raise typer.Exit(1 if found is not None and found.missing else 0)


def _tried(root: Path, profile: str | None) -> Preflight:
    """What is missing here of all that the committed wiring needs. Raises CommandError where there is none."""
    from oneiric.loading import load
    from oneiric.serve.process import source_roots

    from oneiric_compiler.cli.reports import committed_folder, no_output

    path = committed_folder(root, profile) / "wiring.py"
    if not path.is_file():
        raise no_output(root, path, profile, "wiring")
    wiring = load(path)
    sys.path[:0] = source_roots(root, wiring)
    with working("trying"), chdir(root):  # relative paths in settings are the project's
        return _of_everything(wiring)


def _of_everything(wiring: type[Wiring]) -> Preflight:
    import asyncio

    from oneiric.errors import LoadError
    from oneiric.preflight.check import preflight, unstarted
    from oneiric.runtime import Runtime, host_of
    from oneiric.session import beside

    try:
        host = host_of(Runtime(wiring))
    except LoadError as error:
        found = unstarted(wiring)
        if error.code == "artifact" and any(each.kind == "file" for each in found.missing):
            return found
        raise

    async def everything() -> Preflight:
        async with beside(host) as other:
            return await preflight(other, every=True)

    return asyncio.run(everything())
