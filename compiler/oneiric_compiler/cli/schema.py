"""`oneiric schema`: what editors complete settings by."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from oneiric_compiler.cli.errors import compiler_extra
from oneiric_compiler.cli.output import log, result, result_json
from oneiric_compiler.cli.processes import Json
from oneiric_compiler.cli.progress import working
from oneiric_compiler.text.paint import Line


def schema(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where (default: .schemas in the settings folder).")
    ] = None,
    json: Json = False,
) -> None:
    """Write JSON Schemas of this project's settings: editors complete to the candidates and fields that exist."""
    with compiler_extra("schema"):
        from oneiric_compiler.cli import projects
        from oneiric_compiler.diagnostics.found import Diagnostics
        from oneiric_compiler.editor.project_schemas import FOLDER, project_schemas, write_schemas

    gc.disable()  # as in `compile`
    diagnostics = Diagnostics()
    project = projects.project_at(context.obj)
    with working("reading the project"):
        files = project_schemas(project, diagnostics)
    if files is None:
        raise projects.failed(diagnostics, project.root, json=json)
    projects.show(projects.as_seen(diagnostics, project.root))
    folder = out or project.settings / FOLDER
    written = write_schemas(folder, files)
    shown = Path(os.path.relpath(folder)).as_posix()
    unled = [*_unled(project.settings, folder, files)]
    if json:
        facts = {"folder": shown, "written": written, "unled": [{"file": file, "line": line} for file, line in unled]}
        result_json({"format": "oneiric.schema/1", **facts})
        return
    lines: list[Line] = [[("written ", "green"), (f"{shown}/{name}", "plain")] for name in written]
    result(lines or [[("unchanged ", "green"), (shown, "plain")]])
    log([[("note", "cyan"), (f": {file} should start with `{line}`", "plain")] for file, line in unled])


def _unled(settings: Path, folder: Path, files: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The settings files that do not lead an editor to their schema, and the line that does."""
    from oneiric_compiler.editor.project_schemas import schema_of

    for file in sorted([*settings.glob("*.yml"), *settings.glob("profiles/*.yml"), *settings.glob("tenants/*.yml")]):
        name = schema_of(file.relative_to(settings).as_posix())
        line = f"# yaml-language-server: $schema={Path(os.path.relpath(folder / name, file.parent)).as_posix()}"
        if name in files and line.encode() not in file.read_bytes():
            yield Path(os.path.relpath(file)).as_posix(), line
