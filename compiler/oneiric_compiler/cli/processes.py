"""Finding the running process a command is about, and asking it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from oneiric.errors import OneiricError

from oneiric_compiler.cli import complete
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.progress import working
from oneiric_compiler.text.visible import visible

if TYPE_CHECKING:
    from oneiric.serve.client import NoAnswer
    from oneiric.serve.folder import StateFolder

Name: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="The process (default: the only one that runs).",
        autocompletion=complete.PROCESSES,
    ),
]
State: TypeAlias = Annotated[
    Path | None, typer.Option("--state", metavar="DIR", help="The process's state folder, as `serve --state`.")
]
Timeout: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--timeout", min=0.01, max=86400, metavar="SECONDS", help="How long to wait for the process's answer."
    ),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Domain: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--domain", metavar="D", help="The domain of KEY (default: adapter).", autocompletion=complete.DOMAINS
    ),
]
Key: TypeAlias = Annotated[
    str, typer.Argument(metavar="KEY", help="`cache`, or `adapter:cache`.", autocompletion=complete.KEYS)
]

_OVERRIDES = re.compile(r"(?m)^ *--> overrides:.*\n(?: *\d* \|.*\n)*")
_SHARE = 0.75
START = "start one with `oneiric serve`"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which process of the project at `root` a command is about, how long it waits, and whether it answers in JSON."""

    root: Path
    name: str | None = None
    state: Path | None = None
    timeout: float | None = None
    json: bool = False

    def within(self, operation: str) -> float:
        """Seconds that a process may take for its part of an answer, so that it is here in time."""
        from oneiric.serve.operations import OPERATIONS

        return _SHARE * (OPERATIONS[operation].seconds if self.timeout is None else self.timeout)

    def folders(self) -> list[StateFolder]:
        """The state folders that are meant: the one named, or all there are of the project."""
        from oneiric.serve.folder import StateFolder

        if self.state is not None and self.name is not None:
            raise CommandError("--name and --state exclude each other")
        if self.state is not None:
            return [StateFolder(self.state)]
        try:
            return StateFolder.all(self.root) if self.name is None else [StateFolder.of(self.root, self.name)]
        except OneiricError as error:
            raise CommandError(str(error)) from error

    def running(self) -> list[StateFolder]:
        """The state folders of running processes."""
        from oneiric.serve.client import running

        try:
            return [folder for folder in self.folders() if running(folder)]
        except OneiricError as error:
            raise CommandError(str(error)) from error

    def at_most_one(self) -> StateFolder | None:
        """The folder of the running process that is meant, if it runs. Raises CommandError where there are several."""
        up = self.running()
        if len(up) > 1:
            names = ", ".join(folder.name for folder in up)
            raise CommandError(f"several processes are running: {names}", help="name one with --name")
        return up[0] if up else None

    def one(self) -> StateFolder:
        """The folder of the one running process that is meant. Raises CommandError where there is none."""
        return self.at_most_one() or self._nobody()

    def every(self) -> list[StateFolder]:
        """The folders of all running processes. Raises CommandError where there is none."""
        return self.running() or [self._nobody()]

    def _nobody(self) -> StateFolder:
        if self.name is not None:
            told = f"no process `{self.name}` is running"
        elif self.state is not None:
            told = f"no process is running with the state folder {self.state}"
        else:
            stopped = ", ".join(folder.name for folder in self.folders())
            told = "no process is running here" + (f" (stopped: {stopped})" if stopped else "")
        raise CommandError(told, help=START)

    def ask(self, folder: StateFolder, operation: str, **arguments: object) -> dict[str, Any]:
        """What a process answers. Raises CommandError for a refusal, and where it does not answer."""
        from oneiric.serve.client import NoAnswer, NotRunning, ask

        try:
            with working(f"waiting for {visible(folder.name)}"):
                return ask(folder, operation, timeout=self.timeout, **arguments)
        except NoAnswer as error:
            raise Silent(error) from error
        except NotRunning as error:
            raise CommandError(str(error), help=START) from error
        except OneiricError as error:
            raise CommandError(str(error)) from error


class Silent(CommandError):
    """A running process does not answer: a finding, not the caller's mistake."""

    def __init__(self, error: NoAnswer) -> None:
        wait = "wait longer with --timeout SECONDS"
        if error.asked:
            help = "it may still do what was asked: `oneiric status` shows its last change"
        elif error.pid is None:
            help = f"it is stopped, or busy: {wait}"
        else:
            stopped = (
                f"`ps -o state= -p {error.pid}` says T where it is stopped, and `kill -CONT {error.pid}` resumes it"
            )
            help = f"{stopped}; else it is busy: {wait}"
        super().__init__(str(error), help=help, exit=1)


def reason(rejected: Mapping[str, Any]) -> str:
    """Why a change was rejected; of what the compiler says, less where it stands in the swaps, which nobody wrote."""
    return _OVERRIDES.sub("", str(rejected["reason"])).rstrip()


def full_key(key: str, domain: str | None) -> str:
    """`adapter:cache` for `cache`."""
    named, colon, _ = key.partition(":")
    if colon and domain is not None and named != domain:
        raise CommandError(f"`{key}` is not of domain `{domain}`", help="leave out --domain")
    return key if colon else f"{domain or 'adapter'}:{key}"
