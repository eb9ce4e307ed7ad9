"""`oneiric tenants`: who there is."""

from __future__ import annotations

import typer

from oneiric_compiler.cli.output import result_json, result_text
from oneiric_compiler.cli.processes import Json


def tenants(context: typer.Context, json: Json = False) -> None:
    """List the tenants of the committed report."""
    from oneiric_compiler.cli import reports

    report = reports.committed(context.obj)["default"]
    names = sorted({name for binding in report.bindings.values() for name in binding.tenants})
    if json:
        result_json({"format": "oneiric.tenants/1", "tenants": names})
    else:
        result_text("".join(f"{name}\n" for name in names))
