"""What commands about runs share: their options, and whom they ask."""

from __future__ import annotations

import json as jsons
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from oneiric.errors import OneiricError

from oneiric_compiler.cli import complete
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import result, result_json
from oneiric_compiler.cli.processes import Asked
from oneiric_compiler.text.paint import Line, Style, columns, padded
from oneiric_compiler.text.visible import visible

if TYPE_CHECKING:
    from oneiric.serve.alone import Alone
    from oneiric.serve.checkpoints import Checkpoints

STYLES: Mapping[str, Style] = {"completed": "green", "failed": "red", "cancelled": "yellow", "parked": "yellow"}

Key: TypeAlias = Annotated[
    str, typer.Argument(metavar="KEY", help="`fulfil`, or `workflow:fulfil`.", autocompletion=complete.WORKFLOWS)
]
Run: TypeAlias = Annotated[str, typer.Argument(metavar="RUN", help="The id of a run.")]
Profile: TypeAlias = Annotated[
    str | None,
    typer.Option("--profile", metavar="P", help="The profile (default: the base).", autocompletion=complete.PROFILES),
]
Payload: TypeAlias = Annotated[
    str, typer.Option("--payload", metavar="JSON|@FILE", help="What it is given: an object of JSON; `@-` reads stdin.")
]
Id: TypeAlias = Annotated[
    str | None, typer.Option("--id", metavar="ID", help="Run it once under this id, however often that is asked for.")
]
Queue: TypeAlias = Annotated[
    str | None,
    typer.Option("--queue", metavar="Q", help="Another queue than its own.", autocompletion=complete.QUEUES),
]
Tenant: TypeAlias = Annotated[
    str | None, typer.Option("--tenant", metavar="T", help="For this tenant.", autocompletion=complete.TENANTS)
]
CheckpointFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--workflow-checkpoints", metavar="PATH", help="Keep the runs of this process in this SQLite file."),
]
NoCheckpoints: TypeAlias = Annotated[
    bool, typer.Option("--no-workflow-checkpoints", help="Keep the runs of this process nowhere.")
]


def checkpoints_of(path: Path | None, none: bool) -> Checkpoints | None:
    """What the two options say; None for neither. Raises CommandError for both."""
    if path is not None and none:
        raise CommandError("--workflow-checkpoints and --no-workflow-checkpoints exclude each other")
    if path is None and not none:
        return None
    from oneiric.serve.checkpoints import Checkpoints

    return Checkpoints(path)


def ask(
    asked: Asked,
    profile: str | None,
    operation: str,
    *,
    kept: Checkpoints | None = None,
    **arguments: object,
) -> dict[str, Any]:
    """What the running process answers; without one the same is done here."""
    folder = None if kept is not None else asked.at_most_one()
    if folder is not None:
        return asked.ask(folder, operation, **arguments)
    from oneiric.serve.operations import OPERATIONS

    async def here(rooms: Alone) -> dict[str, Any]:
        answer: dict[str, Any] = await attrgetter(OPERATIONS[operation].room)(rooms)(**arguments)
        return answer

    return alone(asked, profile, here, checkpoints=kept)


def alone(
    asked: Asked,
    profile: str | None,
    work: Callable[[Alone], Awaitable[dict[str, Any]]],
    *,
    checkpoints: Checkpoints | None,
    works: bool = False,
    path: Path | None = None,
) -> dict[str, Any]:
    """What `work` answers, of an application that runs for it alone: of the committed wiring, or the one at `path`."""
    import asyncio

    from oneiric.documents import Misfit
    from oneiric.serve.alone import alone

    from oneiric_compiler.cli.reports import no_output
    from oneiric_compiler.cli.serve import committed_wiring

    path = path or committed_wiring(asked.root, profile)
    if not path.is_file():
        raise no_output(asked.root, path, profile, "wiring", in_project=True)

    async def asking() -> dict[str, Any]:
        async with alone(asked.root.resolve(), path.absolute(), checkpoints=checkpoints, works=works) as rooms:
            return await work(rooms)

    os.chdir(asked.root)  # relative paths in settings are the project's
    try:
        return asyncio.run(asking())
    except (Misfit, OneiricError) as error:
        raise CommandError(str(error)) from error


def wiring(root: Path, profile: str | None) -> Any:
    """The committed wiring. Raises CommandError."""
    from oneiric.loading import load

    from oneiric_compiler.cli.reports import no_output
    from oneiric_compiler.cli.serve import committed_wiring

    path = committed_wiring(root, profile)
    if not path.is_file():
        raise no_output(root, path, profile, "wiring", in_project=True)
    try:
        return load(path)
    except OneiricError as error:
        raise CommandError(str(error)) from error


def answer(document: Mapping[str, Any], json: bool, lines: list[Line]) -> None:
    """One document, or lines for whoever reads."""
    if json:
        result_json(document)
    else:
        result(lines)


def table(rows: Sequence[tuple[str, ...]], styled: int | None = None) -> list[Line]:
    """Rows in columns; in the column `styled` a state has its colour."""
    shown = [[visible(cell) for cell in row] for row in rows]
    wide = [max(columns(row[index]) for row in shown) for index in range(len(shown[0]))] if shown else []
    return [
        [
            (padded(cell, wide[index]) + "  ", STYLES.get(cell, "plain") if index == styled else "plain")
            for index, cell in enumerate(row)
        ]
        for row in shown
    ]


def payload_of(text: str) -> str:
    """The JSON that is meant. Raises CommandError for what is no object."""
    try:
        if text.startswith("@"):
            text = sys.stdin.read() if text == "@-" else Path(text[1:]).read_text(encoding="utf-8")
        given = jsons.loads(text)
    except OSError as error:
        raise CommandError.of_system(error) from error
    except ValueError as error:
        raise CommandError(f"--payload is not JSON: {error}", help="""write '{"name": 1}', or @FILE""") from error
    if not isinstance(given, dict):
        raise CommandError("--payload is not an object of JSON", help="""write '{"name": 1}', or @FILE""")
    return text
