"""The application: its global options and its commands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from oneiric_compiler.cli import (
    activity,
    compile,
    demo,
    diff,
    explain,
    explain_code,
    init,
    list,
    manifest,
    matrix,
    operate,
    remote,
    remote_status,
    schema,
    serve,
    status,
    verify,
)
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import release, result_text, styled

app = typer.Typer(
    name="oneiric",
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


app.command("init")(init.init)
app.command("compile")(compile.compile)
app.command("explain")(explain.explain)
app.command("diff")(diff.diff)
app.command("list")(list.list_keys)
app.command("matrix")(matrix.matrix)
app.command("serve")(serve.serve)
app.command("orchestrate", hidden=True)(serve.serve)
app.command("status")(status.status)
app.command("health")(status.health)
app.command("swap")(operate.swap)
app.command("reload")(operate.reload)
app.command("rollback")(operate.rollback)
app.command("pause")(activity.pause)
app.command("drain")(activity.drain)
app.command("remote-sync")(remote.remote_sync)
app.command("remote-status")(remote_status.remote_status)
app.command("verify")(verify.verify)
app.command("schema")(schema.schema)
app.add_typer(manifest.app, name="manifest")
app.command("explain-code")(explain_code.explain_code)
app.command("demo")(demo.demo)
