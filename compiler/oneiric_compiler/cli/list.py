"""`oneiric list`: every key, what serves it, and what stands in its shadow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import result, result_json


def list_keys(
    context: typer.Context,
    domain: Annotated[str | None, typer.Option(metavar="D", help="The keys of this domain alone.")] = None,
    profile: Annotated[str | None, typer.Option(metavar="P", help="The profile (default: the base).")] = None,
    from_report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read this report: no settings, no imports.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="What this running process has, not a report.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """List each key with its provider, the rule that decided, and the candidates that did not win."""
    if name is not None:
        if profile is not None or from_report is not None:
            raise CommandError("--name is about a running process: leave out --profile and --from-report")
        from oneiric_compiler.cli import status

        status.list_running(context.obj, name, domain, json)
        return
    from oneiric_compiler import explain as telling
    from oneiric_compiler.cli import reports

    report, _ = reports.load(context.obj, profile, from_report)
    keys = reports.of_domain(report, domain)
    if json:
        result_json(telling.listing_document(report, keys))
    else:
        result(telling.listing(keys))
