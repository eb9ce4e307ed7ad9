"""`oneiric explain-code`: more about a diagnostic."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Annotated

import typer

from oneiric_compiler.cli import complete
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import result, result_json
from oneiric_compiler.cli.processes import Json
from oneiric_compiler.text.paint import Line


def explain_code(
    code: Annotated[
        str | None,
        typer.Argument(metavar="[CODE]", help="Such as ONE110; all codes without it.", autocompletion=complete.CODES),
    ] = None,
    json: Json = False,
) -> None:
    """Tell what a diagnostic's code means and what to do; without CODE, list them all."""
    from oneiric_compiler.diagnostics.codes import CODES
    from oneiric_compiler.diagnostics.examples import examples

    if code is None:
        if json:
            result_json(_document(CODES))
            return
        lines: list[Line] = [
            [(each, "bold"), (f"  {known.severity:<7}  {known.title}", "plain")] for each, known in CODES.items()
        ]
        result(lines)
        return
    known = CODES.get(code.upper())
    if known is None:
        from oneiric_compiler.diagnostics.found import nearest

        near = nearest(code.upper(), CODES)
        help = f"did you mean `{near}`? " if near else ""
        raise CommandError(f"there is no code `{code}`", help=f"{help}`oneiric explain-code` lists them all")
    if json:
        result_json(_document([code.upper()]))
        return
    body: list[Line] = [[(line, "plain")] for line in textwrap.wrap(known.explanation, 80)]
    body.extend(([], [("for example:", "dim")], []))
    body.extend([(f"  {line}".rstrip(), "plain")] for line in examples()[code.upper()].split("\n"))
    result([[(f"{known.severity}[{code.upper()}]", "bold"), (f": {known.title}", "plain")], [], *body])


def _document(codes: Iterable[str]) -> dict[str, object]:
    """Format `oneiric.codes/1` (`schemas/codes.schema.json`)."""
    from oneiric_compiler.diagnostics.codes import CODES
    from oneiric_compiler.diagnostics.examples import examples

    rows = [
        {
            "code": each,
            "severity": CODES[each].severity,
            "title": CODES[each].title,
            "explanation": CODES[each].explanation,
            "example": examples()[each],
        }
        for each in codes
    ]
    return {"format": "oneiric.codes/1", "codes": rows}
