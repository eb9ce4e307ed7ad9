"""`oneiric queue`: what waits in the queues of runs, and holding it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from oneiric_compiler.cli import complete
from oneiric_compiler.cli.processes import Asked, Json, Name, State, Timeout
from oneiric_compiler.cli.runs import Profile, answer, ask, table

app = typer.Typer(no_args_is_help=True, help="Queues of runs: what waits, and holding it back.")


@app.command("list")
def list_queues(
    context: typer.Context,
    profile: Profile = None,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Show the queues: what waits, runs, and has failed."""
    _queues(ask(Asked(context.obj, name, state, timeout, json), profile, "queue-list"), json)


def _holding(does: str, *, resume: bool) -> Callable[..., None]:
    def hold(
        context: typer.Context,
        queue: Annotated[
            str | None, typer.Argument(metavar="[QUEUE]", help="Default: all.", autocompletion=complete.QUEUES)
        ] = None,
        profile: Profile = None,
        name: Name = None,
        state: State = None,
        timeout: Timeout = None,
        json: Json = False,
    ) -> None:
        asked = Asked(context.obj, name, state, timeout, json)
        _queues(ask(asked, profile, "queue-pause", queue=queue, resume=resume), json)

    hold.__doc__ = does
    return hold


app.command("pause")(_holding("Begin no run of a queue, in whatever process; those under way go on.", resume=False))
app.command("resume")(_holding("Begin runs of a queue again.", resume=True))


def _queues(document: Mapping[str, Any], json: bool) -> None:
    rows = [("queue", "waiting", "running", "failed", "dead", "")] if document["queues"] else []
    rows += [
        (
            each["name"], *(str(each[fact]) for fact in ("waiting", "running", "failed", "dead")),
            "paused" if each["paused"] else "",
        )
        for each in document["queues"]
    ]  # fmt: skip
    answer(document, json, table(rows) or [[("no queues", "dim")]])
