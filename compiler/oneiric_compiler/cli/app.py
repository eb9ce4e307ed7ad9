"""The application: its global options and its commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import result_text, styled
from oneiric_compiler.release import __version__

_WHOLE = 1000


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


def _show_version(wanted: bool) -> None:
    if wanted:
        result_text(f"oneiric {__version__}\n")
        raise typer.Exit


def oneiric(
    context: typer.Context,
    project: Annotated[Path, typer.Option(metavar="DIR", help="The project's root folder.")] = Path(),
    demo: Annotated[
        bool, typer.Option("--demo", help="Try the command on a new project of `init`, which is removed after it.")
    ] = False,
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
    if demo:
        from oneiric_compiler.cli.tried import new_project

        if project != Path():
            raise CommandError("--demo has a project of its own: leave out --project")
        context.with_resource(new_project())


class Command(NamedTuple):
    """Where a command is: the function of a module beside this one; None: a module with an application of its own."""

    group: str
    module: str
    function: str | None = None
    hidden: bool = False


_SETTINGS, _QUESTIONS = "From settings to a wiring", "Questions"
_PROCESS, _WORK, _SIGNED = "A running process", "Work", "Signed manifests"

COMMANDS = {
    "init": Command(_SETTINGS, "init", "init"),
    "plan": Command(_SETTINGS, "plan", "plan"),
    "compile": Command(_SETTINGS, "compile", "compile"),
    "fix": Command(_SETTINGS, "fix", "fix"),
    "lsp": Command(_SETTINGS, "lsp", "lsp"),
    "schema": Command(_SETTINGS, "schema", "schema"),
    "demo": Command(_SETTINGS, "demo", "demo"),
    "explain": Command(_QUESTIONS, "explain", "explain"),
    "diff": Command(_QUESTIONS, "diff", "diff"),
    "list": Command(_QUESTIONS, "list", "list_keys"),
    "matrix": Command(_QUESTIONS, "matrix", "matrix"),
    "report": Command(_QUESTIONS, "report", "report"),
    "env": Command(_QUESTIONS, "env", "env"),
    "verify": Command(_QUESTIONS, "verify", "verify"),
    "explain-code": Command(_QUESTIONS, "explain_code", "explain_code"),
    "serve": Command(_PROCESS, "serve", "serve"),
    "status": Command(_PROCESS, "status", "status"),
    "health": Command(_PROCESS, "status", "health"),
    "swap": Command(_PROCESS, "operate", "swap"),
    "reload": Command(_PROCESS, "operate", "reload"),
    "rollback": Command(_PROCESS, "operate", "rollback"),
    "history": Command(_PROCESS, "history", "history"),
    "pause": Command(_PROCESS, "activity", "pause"),
    "drain": Command(_PROCESS, "activity", "drain"),
    "remote-sync": Command(_SIGNED, "remote", "remote_sync"),
    "remote-status": Command(_SIGNED, "remote_status", "remote_status"),
    "orchestrate": Command(_PROCESS, "serve", "serve", hidden=True),
    "secrets": Command(_PROCESS, "secrets"),
    "action": Command(_WORK, "action"),
    "action-invoke": Command(_WORK, "action", "invoke", hidden=True),
    "workflow": Command(_WORK, "workflow"),
    "queue": Command(_WORK, "queue"),
    "event": Command(_WORK, "event"),
    "schedule": Command(_WORK, "schedule"),
    "manifest": Command(_SIGNED, "manifest"),
}


def application(arguments: Sequence[str] = ()) -> typer.Typer:
    """The application: with the one command that `arguments` name, whose module alone is imported, else with all.

    `arguments`: `--project DIR` first, where it is taken.
    """
    named = next(iter(arguments[2:] if arguments[:1] == ["--project"] else arguments), "")
    app = typer.Typer(
        name="oneiric",
        cls=_Grouped,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if styled(sys.stdout) and styled(sys.stderr) else None,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=oneiric,
    )
    for name, command in ({named: COMMANDS[named]} if named in COMMANDS else COMMANDS).items():
        module = import_module(f"{__package__}.{command.module}")
        if command.function is None:
            app.add_typer(module.app, name=name, rich_help_panel=command.group)
        else:
            add = app.command(name, rich_help_panel=command.group, hidden=command.hidden)
            add(getattr(module, command.function))
    return app
