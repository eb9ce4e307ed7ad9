"""`oneiric fix`: does what the helps of diagnostics say, where that is an edit."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneiric_compiler.cli.errors import CommandError, compiler_extra
from oneiric_compiler.cli.output import log, result, result_json
from oneiric_compiler.cli.processes import Json
from oneiric_compiler.cli.progress import working
from oneiric_compiler.text.paint import Line, Style
from oneiric_compiler.text.plural import plural
from oneiric_compiler.text.visible import visible

if TYPE_CHECKING:
    from oneiric_compiler.diagnostics.found import Diagnostic, Edit
    from oneiric_compiler.editor.fixing import Change, Fixes, Mark

_FORMAT = "oneiric.fix/1"
_STYLES: dict[Mark, Style] = {" ": "plain", "-": "red", "+": "green"}


def fix(
    context: typer.Context,
    write: Annotated[bool, typer.Option("--write", help="Write the files, instead of showing what changes.")] = False,
    json: Json = False,
) -> None:
    """Show what the helps of diagnostics would change in settings and sources, or write it; 1 when something is left
    to be changed."""
    with compiler_extra("fix"):
        from oneiric_compiler.cli import projects
        from oneiric_compiler.diagnostics.found import Diagnostics
        from oneiric_compiler.editor import fixing
        from oneiric_compiler.pipeline import compile_project

    gc.disable()  # it takes half the time of a large compile, and the process ends with it
    project = projects.project_at(context.obj)
    diagnostics = Diagnostics()
    with working("compiling"):
        compile_project(project, diagnostics)
        found = fixing.fixes(project, diagnostics)
    if write:
        _write(found)
    if json:
        result_json(_document(found, written=write))
    else:
        _show(found, written=write)
        fixed = {*found.made, *found.waiting}
        errors = sum(each.severity == "error" for each in diagnostics if each not in fixed)
        _tell_rest(found, errors, written=write)
    raise typer.Exit(1 if (found.waiting if write else found.made) else 0)


def _write(found: Fixes) -> None:
    from oneiric_compiler.editor import fixing

    try:
        fixing.write(found.changes)
    except fixing.Changed as error:
        message = f"{error} changed while it was compiled: nothing is written"
        raise CommandError(message, help="run `oneiric fix` again", exit=1) from error
    except OSError as error:
        raise CommandError.of_system(error) from error


def _show(found: Fixes, *, written: bool) -> None:
    for change in found.changes:
        path = _path(change)
        if written:
            result([[("fixed ", "green"), (f"{path} ({len(change.fixed)})", "plain")]])
        else:
            result(_diff(change, path))


def _diff(change: Change, path: str) -> Iterator[Line]:
    """The change as a diff that people read; what is secret in it is masked."""
    from oneiric_compiler.editor import fixing

    yield [(f"--- {visible(path)}", "bold")]
    yield [(f"+++ {visible(path)}", "bold")]
    for hunk in fixing.hunks(change):
        yield [(f"@@ -{hunk.old[0]},{hunk.old[1]} +{hunk.new[0]},{hunk.new[1]} @@", "cyan")]
        for mark, line in hunk.lines:
            yield [(f"{mark}{visible(line)}", _STYLES[mark])]


def _tell_rest(found: Fixes, errors: int, *, written: bool) -> None:
    """What stands beside the changes: what a second run does, and what no edit does."""
    if found.made and not written:
        log([[("`oneiric fix --write` writes it", "plain")]])
    if found.waiting:
        log([[(f"{plural(len(found.waiting), 'edit')} touch others: run it again", "plain")]])
    if errors:
        log([[(f"{plural(errors, 'error')} left to you: `oneiric compile` shows what is wrong", "plain")]])
    elif not found.made:
        log([[("nothing to fix", "plain")]])


def _document(found: Fixes, *, written: bool) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "written": written,
        "files": [_path(each) for each in found.changes],
        "fixes": [_fix(each, _path(change)) for change in found.changes for each in change.fixed],
        "waiting": len(found.waiting),
    }


def _fix(each: Diagnostic, file: str) -> dict[str, Any]:
    from oneiric_compiler.text.redact import masked

    return {
        "code": each.code,
        "message": masked(each.message),
        "help": masked(each.help or ""),
        "file": file,
        "edits": [_edit(edit) for edit in each.edits],
    }


def _edit(edit: Edit) -> dict[str, Any]:
    span = edit.span
    place = {"line": span.line, "column": span.column, "end_line": span.end_line, "end_column": span.end_column}
    return {**place, "text": edit.text}


def _path(change: Change) -> str:
    """The file as it is reached from the working directory."""
    return Path(os.path.relpath(change.path)).as_posix()
