"""`oneiric serve`: a process around a wiring."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Annotated

import typer

from oneiric_compiler.cli import complete
from oneiric_compiler.cli.errors import CommandError, compiler_extra
from oneiric_compiler.cli.progress import working
from oneiric_compiler.cli.reports import no_output, stated_name
from oneiric_compiler.cli.runs import CheckpointFile, NoCheckpoints, checkpoints_of

_PORTS = 65535


def serve(
    context: typer.Context,
    wiring: Annotated[Path | None, typer.Option(metavar="PATH", help="The wiring.py (default: the project's).")] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="P", help="The profile (default: the base).", autocompletion=complete.PROFILES)
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The name of the process (default: the app's).")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Its state folder (default: .oneiric/NAME).")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, metavar="N", help="/healthz, /readyz, /status on 127.0.0.1 (0: any port)."),
    ] = None,
    http: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="/healthz and /readyz, for probes from outside; calls with a token."),
    ] = None,
    http_token: Annotated[
        str | None,
        typer.Option(
            metavar="SECRET",
            envvar="ONEIRIC_HTTP_TOKEN",
            help="With --http: answer calls, workflows and events to who has it.",
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Reload when the wiring's files change.")] = False,
    provisional: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Roll back when health fails this soon after a change.")
    ] = 0.0,
    health_period: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="How often active components are asked how they are (0: never)."),
    ] = 5.0,
    recompile: Annotated[bool, typer.Option("--recompile", help="Compile the settings first.")] = False,
    trust: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Public keys, one a line: refuse wirings they did not sign.")
    ] = None,
    threshold: Annotated[int, typer.Option(min=1, metavar="N", help="How many of the keys; with --trust.")] = 1,
    role: Annotated[
        str | None,
        typer.Option(metavar="ROLE", help="Start what is of this role alone.", autocompletion=complete.ROLES),
    ] = None,
    checkpoints: CheckpointFile = None,
    no_checkpoints: NoCheckpoints = False,
) -> None:
    """Run a wiring until SIGTERM: SIGHUP reloads, the other commands operate it. Logs go to stderr."""
    from oneiric.errors import OneiricError
    from oneiric.serve.process import NameTaken, Serving
    from oneiric.serve.process import serve as run
    from oneiric.trust.signature import Trust, TrustError

    from oneiric_compiler.questions.places import Locator
    from oneiric_compiler.settings.folder import settings_folder

    root: Path = context.obj
    if wiring is not None and (profile is not None or recompile):
        raise CommandError("--wiring names the file itself: leave out --profile and --recompile")
    outside = None if http is None else _host_and_port(http)
    if http_token and http is None:
        raise CommandError("--http-token is for the address of --http")
    if trust is None and threshold > 1:
        raise CommandError("--threshold counts the keys of --trust")
    if recompile:
        compile_first(root)
    try:
        trusted = None if trust is None else Trust.read(trust, threshold)
    except TrustError as error:
        raise CommandError(str(error)) from error
    path = wiring or committed_wiring(root, profile)
    if not path.is_file():
        raise no_output(root, path, profile, "wiring", in_project=wiring is None)
    serving = Serving(
        root=root.resolve(),
        wiring=path.absolute(),
        name=name,
        state=None if state is None else state.absolute(),
        port=port,
        http=outside,
        watch=watch,
        provisional=provisional,
        health_period=health_period,
        trust=trusted,
        role=role,
        checkpoints=checkpoints_of(checkpoints, no_checkpoints),
        http_token=http_token or None,
        locate=Locator(root.resolve(), settings_folder(root, os.environ).absolute()),
        asked=None if wiring is not None else (stated_name(root), profile or "default"),
    )
    os.chdir(root)  # relative paths in settings are the project's
    try:
        code = run(serving)
    except NameTaken as error:
        help = "`oneiric status` shows it; `--name NAME` starts another one beside it"
        raise CommandError(str(error), help=help) from error
    except OneiricError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        help = "name another port; `--port 0` takes one that is free, and `oneiric status` shows it"
        raise CommandError(f"{error.filename} is taken: another process listens there", help=help) from error
    raise typer.Exit(code)


def _host_and_port(text: str) -> tuple[str, int]:
    """`0.0.0.0:8080`, `[::]:8080` or `localhost:8080`. Raises CommandError."""
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not host or (":" in host and not bracketed) or not re.fullmatch("[0-9]{1,5}", port) or int(port) > _PORTS:
        raise CommandError(
            f"`--http {text}` does not name an address and a port",
            help="write 0.0.0.0:8080 for every IPv4 address of this machine, [::]:8080 for IPv6 as well",
        )
    return host.strip("[]"), int(port)


def committed_wiring(root: Path, profile: str | None) -> Path:
    """Where a compile writes the wiring of a profile."""
    from oneiric_compiler.cli.reports import committed_folder

    return committed_folder(root, profile) / "wiring.py"


def compile_first(root: Path, *, json: bool = False) -> None:
    """Compile every profile of the project, as `oneiric compile` does. Exits with 2 when that fails."""
    with compiler_extra("compile"):
        from oneiric_compiler.cli import projects
        from oneiric_compiler.diagnostics.found import Diagnostics
        from oneiric_compiler.pipeline import compile_project
        from oneiric_compiler.stages.write import write

    diagnostics = Diagnostics()
    with working("compiling"):
        outputs = compile_project(projects.project_at(root), diagnostics)
        if outputs is not None:
            write(outputs, diagnostics)
    if code := projects.exit_code(diagnostics):
        raise projects.failed(diagnostics, root, json=json, code=code)
    projects.show(projects.as_seen(diagnostics, root))
