"""The application: its global options and its commands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from oneiric_compiler.cli import (
    action,
    activity,
    compile,
    demo,
    diff,
    env,
    event,
    explain,
    explain_code,
    history,
    init,
    list,
    manifest,
    matrix,
    operate,
    plan,
    queue,
    remote,
    remote_status,
    report,
    schedule,
    schema,
    secrets,
    serve,
    status,
    verify,
    workflow,
)
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import release, result_text, styled

_WHOLE = 1000
_SIGNED = "Signed manifests"


class _Grouped(TyperGroup):
    """Lists the commands by group, each with all of its first sentence, also where the output is not a terminal."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, dict[str, str]] = {}
        for name, command in self.commands.items():
            if not command.hidden:
                panel = getattr(command, "rich_help_panel", None) or "Commands"
                groups.setdefault(str(panel), {})[name] = command.get_short_help_str(limit=_WHOLE)
        for title, commands in groups.items():
            with formatter.section(title):
                formatter.write_dl([*commands.items()])


app = typer.Typer(
    name="oneiric",
    cls=_Grouped,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich" if styled(sys.stdout) and styled(sys.stderr) else None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        result_text(f"oneiric {release()}\n")
        raise typer.Exit


@app.callback()
def oneiric(
    context: typer.Context,
    project: Annotated[Path, typer.Option(metavar="DIR", help="The project's root folder.")] = Path(),
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show the release and exit."),
    ] = False,
) -> None:
    """Compiles which component serves which key, and why, ahead of time.

    Exit codes: 0 fine; 1 a finding (stale, edited, differs); 2 invalid input or usage.
    """
    if not project.is_dir():
        raise CommandError(f"{project} is not a folder", help="--project names the folder that holds settings/")
    context.obj = project


_GROUPS: dict[str, dict[str, Callable[..., None]]] = {
    "From settings to a wiring": {
        "init": init.init,
        "plan": plan.plan,
        "compile": compile.compile,
        "schema": schema.schema,
        "demo": demo.demo,
    },
    "Questions": {
        "explain": explain.explain,
        "diff": diff.diff,
        "list": list.list_keys,
        "matrix": matrix.matrix,
        "report": report.report,
        "env": env.env,
        "verify": verify.verify,
        "explain-code": explain_code.explain_code,
    },
    "A running process": {
        "serve": serve.serve,
        "status": status.status,
        "health": status.health,
        "swap": operate.swap,
        "reload": operate.reload,
        "rollback": operate.rollback,
        "history": history.history,
        "pause": activity.pause,
        "drain": activity.drain,
    },
    _SIGNED: {
        "remote-sync": remote.remote_sync,
        "remote-status": remote_status.remote_status,
    },
}

for _group, _commands in _GROUPS.items():
    for _name, _command in _commands.items():
        app.command(_name, rich_help_panel=_group)(_command)
app.command("orchestrate", hidden=True)(serve.serve)
app.add_typer(secrets.app, name="secrets", rich_help_panel="A running process")
app.add_typer(action.app, name="action", rich_help_panel="Work")
app.command("action-invoke", hidden=True)(action.invoke)
app.add_typer(workflow.app, name="workflow", rich_help_panel="Work")
app.add_typer(queue.app, name="queue", rich_help_panel="Work")
app.add_typer(event.app, name="event", rich_help_panel="Work")
app.add_typer(schedule.app, name="schedule", rich_help_panel="Work")
app.add_typer(manifest.app, name="manifest", rich_help_panel=_SIGNED)
