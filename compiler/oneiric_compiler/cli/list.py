"""`oneiric list`: every key, what serves it, and what stands in its shadow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oneiric_compiler.cli import complete
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import result, result_json
from oneiric_compiler.cli.processes import Asked, Json, Timeout
from oneiric_compiler.cli.progress import working


def list_keys(
    context: typer.Context,
    domain: Annotated[
        str | None, typer.Option(metavar="D", help="The keys of this domain alone.", autocompletion=complete.DOMAINS)
    ] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="P", help="The profile (default: the base).", autocompletion=complete.PROFILES)
    ] = None,
    from_report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read this report: no settings, no imports.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="What this running process has, not a report.",
            autocompletion=complete.PROCESSES,
        ),
    ] = None,
    unused: Annotated[
        bool, typer.Option("--unused", help="Components and settings that decide nothing, in any profile or tenant.")
    ] = False,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """List each key with its provider, the rule that decided, and the candidates that did not win."""
    if unused:
        if any(each is not None for each in (domain, profile, from_report, name)):
            raise CommandError("--unused is about the whole project: only --json goes with it")
        _list_unused(context.obj, json)
        return
    if name is not None:
        if profile is not None or from_report is not None:
            raise CommandError("--name is about a running process: leave out --profile and --from-report")
        from oneiric_compiler.cli import status

        status.list_running(Asked(context.obj, name, timeout=timeout, json=json), domain)
        return
    if timeout is not None:
        raise CommandError("--timeout is about a running process: name it with --name")
    from oneiric_compiler.cli import reports
    from oneiric_compiler.questions.explain.documents import listing_document
    from oneiric_compiler.questions.explain.keys import listing

    report, _ = reports.load(context.obj, profile, from_report)
    keys = reports.of_domain(report, domain)
    if json:
        result_json(listing_document(report, keys))
    else:
        result(listing(keys))


def _list_unused(root: Path, json: bool) -> None:
    from oneiric_compiler.cli.errors import compiler_extra

    with compiler_extra("list --unused"):
        from oneiric_compiler.cli import projects
        from oneiric_compiler.diagnostics.found import Diagnostics
        from oneiric_compiler.questions.explain.rows import section
        from oneiric_compiler.questions.places import Locator
        from oneiric_compiler.questions.unused import unused

    diagnostics = Diagnostics()
    project = projects.project_at(root)
    with working("resolving"):
        found = unused(project, diagnostics)
    if found is None:
        raise projects.failed(diagnostics, root, json=json)
    if json:
        facts = [{"kind": each.kind, "what": each.what, "at": each.at} for each in found]
        result_json({"format": "oneiric.unused/1", "unused": facts})
        return
    locate = Locator(project.root, project.settings)
    kinds = dict.fromkeys(each.kind for each in found)
    shown = {kind: [(each.what, locate(each.at), "") for each in found if each.kind == kind] for kind in kinds}
    sections = [section(kind, rows) for kind, rows in shown.items()]
    result([line for lines in sections for line in lines][1:] or [[("everything is used", "green")]])
