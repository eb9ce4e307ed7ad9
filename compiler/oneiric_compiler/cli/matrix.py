"""`oneiric matrix`: what runs where."""

from __future__ import annotations

from typing import Annotated

import typer

from oneiric_compiler.cli.output import result, result_json


def matrix(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
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
