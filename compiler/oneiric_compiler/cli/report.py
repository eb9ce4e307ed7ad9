"""`oneiric report`: all that the committed reports say, as one page or one document."""

from __future__ import annotations

import gc
from typing import Annotated

import typer
from oneiric.report import Report

from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import result_json, result_text
from oneiric_compiler.cli.processes import Json


def report(
    context: typer.Context,
    html: Annotated[bool, typer.Option("--html", help="One HTML file, which needs no other.")] = False,
    base: Annotated[
        str | None, typer.Option(metavar="REF", help="With what HEAD changes since it left REF, both read from git.")
    ] = None,
    json: Json = False,
) -> None:
    """Show keys and why, needs, workflows, profiles and changes on one page: `oneiric report --html > page.html`."""
    from oneiric_compiler.cli import in_git, reports
    from oneiric_compiler.questions.diff.compare import compare
    from oneiric_compiler.questions.page.document import document
    from oneiric_compiler.questions.page.html import page

    if html == json:
        raise CommandError("say what to write: --html or --json")
    gc.disable()  # it takes a third of the time of large reports, and the process ends with it
    changes = None
    if base is None:
        found = reports.committed(context.obj)
    else:
        before, found = in_git.reports(context.obj, base)
        empty = Report("", "", {}, {})
        names = sorted({*before, *found}, key=lambda each: (each != "default", each))
        changes = {each: compare(before.get(each, empty), found.get(each, empty)) for each in names}
    shown = document(found, changes)
    if json:
        result_json(shown)
    else:
        result_text(page(shown))
