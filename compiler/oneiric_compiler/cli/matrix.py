"""`oneiric matrix`: what runs where."""

from __future__ import annotations

import typer

from oneiric_compiler.cli.output import result, result_json
from oneiric_compiler.cli.processes import Json


def matrix(
    context: typer.Context,
    json: Json = False,
) -> None:
    """Show keys by profiles and tenants, where another provider serves them."""
    from oneiric_compiler.cli import reports
    from oneiric_compiler.questions import matrix as table

    found = reports.committed(context.obj)
    rows = table.matrix(found)
    if json:
        result_json(table.document(found, rows))
    else:
        result(table.tell(found, rows))
