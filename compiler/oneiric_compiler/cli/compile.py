"""`oneiric compile`: settings in, wiring and report out."""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oneiric_compiler.cli import complete
from oneiric_compiler.cli.errors import CommandError, compiler_extra
from oneiric_compiler.cli.manifest import seed_of
from oneiric_compiler.cli.output import result, result_text
from oneiric_compiler.cli.processes import Json
from oneiric_compiler.cli.progress import working
from oneiric_compiler.release import __version__

if TYPE_CHECKING:
    from oneiric_compiler.diagnostics.found import Diagnostics
    from oneiric_compiler.model import Project


class Format(StrEnum):
    text = "text"
    json = "json"
    sarif = "sarif"
    github = "github"


def compile(
    context: typer.Context,
    profile: Annotated[
        str | None,
        typer.Option(metavar="P", help="This profile alone (default: every one).", autocompletion=complete.PROFILES),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing: 0 fresh, 1 stale or edited, 2 errors.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are errors, and types that are not read.")] = False,
    format: Annotated[Format, typer.Option(help="How diagnostics are written.")] = Format.text,
    json: Json = False,
    overrides: Annotated[Path | None, typer.Option(metavar="FILE", help="An operator's swaps; with --out.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to write; with --overrides.")] = None,
    sign: Annotated[Path | None, typer.Option(metavar="KEY", help="Sign the wirings with this private key.")] = None,
    serial: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="With --sign: number them (default: one more than before)."),
    ] = None,
    evaluated_at: Annotated[
        str | None, typer.Option("--evaluated-at", metavar="TIME", help="Check manifests against this time, not now.")
    ] = None,
    valid_until: Annotated[
        str | None,
        typer.Option("--valid-until", metavar="TIME", help="Warn of manifests that expire before (default: 14 days)."),
    ] = None,
) -> None:
    """Compile the settings of every profile into a wiring and a report."""
    if json and format not in (Format.text, Format.json):
        raise CommandError(f"--json and --format {format} exclude each other")
    if (overrides is None) != (out is None):
        raise CommandError("--overrides and --out go together")
    if overrides is not None and check:
        raise CommandError("--check compares the committed outputs, which no overrides take part in")
    if overrides is not None and not overrides.is_file():
        help = 'it is JSON, such as {"overrides": {"adapter:cache": "redis"}}'
        raise CommandError(f"--overrides: there is no file {overrides}", help=help)
    if sign is not None and check:
        raise CommandError("--check writes nothing, so --sign has nothing to sign")
    if serial is not None and sign is None:
        raise CommandError("--serial is signed: it goes with --sign KEY")
    with compiler_extra("compile"):
        from oneiric_compiler.cli import projects
        from oneiric_compiler.diagnostics.found import Diagnostics

    gc.disable()  # it takes half the time of a large compile, and the process ends with it
    diagnostics = Diagnostics(strict=strict)
    project = replace(
        projects.project_at(context.obj, overrides),
        evaluated_at=projects.time_of("--evaluated-at", evaluated_at),
        valid_until=projects.time_of("--valid-until", valid_until),
    )
    files: list[Path] = []
    removed: list[Path] = []
    if check:
        with working("checking"):
            _check(project, diagnostics, profile=profile)
    else:
        signing = None if sign is None else (seed_of(sign), serial)
        with working("compiling"):
            files, removed = _compile(project, diagnostics, profile, out, signing)
    code = projects.exit_code(diagnostics)
    status = ("fresh" if check else "compiled", "differs", "failed")[code]
    _show(diagnostics, Format.json if json else format, project, files, removed, status)
    raise typer.Exit(code)


def _compile(
    project: Project,
    diagnostics: Diagnostics,
    profile: str | None,
    out: Path | None,
    signing: tuple[bytes, int | None] | None,
) -> tuple[list[Path], list[Path]]:
    """Compiles and writes; the reports and wirings written, and the folders removed of profiles that are no more."""
    with compiler_extra("compile"):
        from oneiric_compiler.pipeline import compile_project
        from oneiric_compiler.stages import leftovers
        from oneiric_compiler.stages.sign import BadSerial, Signer
        from oneiric_compiler.stages.write import write

    outputs = compile_project(project, diagnostics, profile=profile)
    if outputs is None:
        return [], []
    if out is not None:
        outputs = outputs.moved(out)
    removed: list[str] = []
    try:
        written = write(outputs, diagnostics, Signer(*signing) if signing else None)
    except BadSerial as error:
        help = "an older wiring is deployed again under a serial above the one that runs"
        raise CommandError(str(error), help=help) from error
    if written and profile is None and out is None:
        removed = leftovers.remove(outputs, diagnostics)
        leftovers.tell_elsewhere(outputs, diagnostics)
    files = [outputs.root / folder / file for folder, files in outputs.profiles.values() for file in sorted(files)]
    return files, [outputs.root / folder for folder in removed]


def _check(project: Project, diagnostics: Diagnostics, profile: str | None) -> None:
    from oneiric_compiler.checking import check

    check(project, diagnostics, profile=profile)


def _show(
    diagnostics: Diagnostics, format: Format, project: Project, files: list[Path], removed: list[Path], status: str
) -> None:
    from oneiric_compiler.cli import projects
    from oneiric_compiler.diagnostics import render

    found = projects.as_seen(diagnostics, project.root)
    shown, gone = ([Path(os.path.relpath(path)).as_posix() for path in paths] for paths in (files, removed))
    if format is Format.json:
        result_text(render.as_json(found, status=status, files=[*shown], removed=[*gone]))
    elif format is Format.sarif:
        nowhere = Path(os.path.relpath(project.settings / "app.yml")).as_posix()
        result_text(render.as_sarif(found, version=__version__, nowhere=nowhere))
    elif format is Format.github:
        result_text(render.as_github(found))
    else:
        projects.show(found)
        if status == "fresh":
            result([[("fresh", "green")]])
        elif status == "compiled":
            wirings = [file for file in shown if file.endswith("wiring.py")]
            result([[("compiled ", "green"), (wiring, "plain")] for wiring in wirings])
            result([[("removed  ", "green"), (folder, "plain")] for folder in gone])
