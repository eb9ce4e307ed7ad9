"""`oneiric explain`: why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oneiric_compiler.cli.output import result, result_json


def explain(
    context: typer.Context,
    key: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="`cache`, or `adapter:cache`; all keys without it.")
    ] = None,
    domain: Annotated[
        str | None, typer.Option(metavar="D", help="Domain of KEY (default: adapter), or of the keys shown.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(metavar="T", help="As the tenant gets it.")] = None,
    profile: Annotated[str | None, typer.Option(metavar="P", help="The profile (default: the base).")] = None,
    from_report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read this report: no settings, no imports.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Tell why a key is served by what serves it; without KEY, one line per key."""
    from oneiric_compiler import explain as telling
    from oneiric_compiler.cli import reports

    report, locate = reports.load(context.obj, profile, from_report)
    report = reports.of_tenant(report, tenant)
    if key is None:
        keys = reports.of_domain(report, domain)
        if json:
            result_json(telling.report_document(report, keys, tenant=tenant))
        else:
            result(telling.summary(keys))
        return
    full = reports.full_key(report, key, domain)
    if json:
        result_json(telling.key_document(report, full, tenant=tenant))
    else:
        result(telling.tell(report, full, locate, tenant=tenant))
