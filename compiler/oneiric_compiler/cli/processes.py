"""Finding the running process a command is about, and asking it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from oneiric.errors import OneiricError

from oneiric_compiler.cli.errors import CommandError

if TYPE_CHECKING:
    from oneiric.serve.folder import StateFolder

Name: TypeAlias = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="The process (default: the only one that runs).")
]
State: TypeAlias = Annotated[
    Path | None, typer.Option("--state", metavar="DIR", help="The process's state folder, as `serve --state`.")
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Domain: TypeAlias = Annotated[
    str | None, typer.Option("--domain", metavar="D", help="The domain of KEY (default: adapter).")
]
Key: TypeAlias = Annotated[str, typer.Argument(metavar="KEY", help="`cache`, or `adapter:cache`.")]

START = "start one with `oneiric serve`"


def known(root: Path, name: str | None, state: Path | None) -> list[StateFolder]:
    """The state folders that are meant: the one named, or all there are of the project."""
    from oneiric.serve.folder import FolderError, StateFolder

    if state is not None and name is not None:
        raise CommandError("--name and --state exclude each other")
    if state is not None:
        return [StateFolder(state)]
    try:
        return StateFolder.all(root) if name is None else [StateFolder.of(root, name)]
    except FolderError as error:
        raise CommandError(str(error)) from error


def listening(folders: list[StateFolder]) -> list[StateFolder]:
    """Those with a process that answers."""
    from oneiric.serve.client import running

    try:
        return [folder for folder in folders if running(folder)]
    except OneiricError as error:
        raise CommandError(str(error)) from error


def the_one(root: Path, name: str | None, state: Path | None) -> StateFolder:
    """The folder of the one running process that is meant. Raises CommandError where that is none, or several."""
    folders = known(root, name, state)
    up = listening(folders)
    if len(up) == 1:
        return up[0]
    if up:
        names = ", ".join(folder.name for folder in up)
        raise CommandError(f"several processes are running: {names}", help="name one with --name")
    raise CommandError(_nobody(folders, name, state), help=START)


def every(root: Path) -> list[StateFolder]:
    """The folders of all running processes of the project. Raises CommandError where there is none."""
    folders = known(root, None, None)
    up = listening(folders)
    if not up:
        raise CommandError(_nobody(folders, None, None), help=START)
    return up


def operate(folder: StateFolder, operation: str, **arguments: object) -> dict[str, Any]:
    """What the process answers. Raises CommandError for a refusal, and where it went away."""
    from oneiric.serve.client import NotRunning, ask

    try:
        return ask(folder, operation, **arguments)
    except NotRunning as error:
        raise CommandError(str(error), help=START) from error
    except OneiricError as error:
        raise CommandError(str(error)) from error


def full_key(key: str, domain: str | None) -> str:
    """`adapter:cache` for `cache`."""
    named, colon, _ = key.partition(":")
    if colon and domain is not None and named != domain:
        raise CommandError(f"`{key}` is not of domain `{domain}`", help="leave out --domain")
    return key if colon else f"{domain or 'adapter'}:{key}"


def _nobody(folders: list[StateFolder], name: str | None, state: Path | None) -> str:
    if name is not None:
        return f"no process `{name}` is running"
    if state is not None:
        return f"no process is running with the state folder {state}"
    stopped = ", ".join(folder.name for folder in folders)
    return "no process is running here" + (f" (stopped: {stopped})" if stopped else "")
