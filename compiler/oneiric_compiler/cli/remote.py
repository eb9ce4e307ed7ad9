"""`oneiric remote-sync`: manifests of others, pinned and looked after."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oneiric_compiler.cli.errors import CommandError, compiler_extra
from oneiric_compiler.cli.output import result, result_text
from oneiric_compiler.cli.processes import Json
from oneiric_compiler.cli.progress import spinner, wanted
from oneiric_compiler.text.paint import Line, Style
from oneiric_compiler.text.visible import visible

if TYPE_CHECKING:
    from oneiric_compiler.diagnostics.found import Diagnostic, Diagnostics
    from oneiric_compiler.diagnostics.render import Json as Facts
    from oneiric_compiler.manifests.lock import Pin
    from oneiric_compiler.model import Project, RemoteSource, Settings
    from oneiric_compiler.remote.fetch import Progress
    from oneiric_compiler.remote.sync import Result, Synced

FINDINGS = frozenset(("ONE604", "ONE606", "ONE607", "ONE608", "ONE610", "ONE611", "ONE620", "ONE622"))
"""Codes of a sync's findings; any other error is invalid input."""
_ENVIRONMENT = "certificates are files in PEM, a proxy is `http://HOST:PORT`; or unset the variable"
_STYLES: dict[str, Style] = {"rejected": "red", "unreachable": "red", "kept": "yellow", "never": "yellow"}


def remote_sync(
    context: typer.Context,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: pin, compile and reload what is new, until SIGTERM. Logs on stderr.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Fetch and write nothing: 0 the lock matches what is pinned, 1 it does not.")
    ] = False,
    manifest: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="See that a source of this address is listed; all are fetched, or none."),
    ] = None,
    refresh_interval: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", help="With --manifest: --watch, and see that this is its `refresh`."),
    ] = None,
    json: Json = False,
) -> None:
    """Fetch, verify and pin the manifests of every source, or none. 1 when one is rejected or cannot be fetched."""
    if refresh_interval is not None and manifest is None:
        raise CommandError("--refresh-interval is of the source that --manifest names")
    watch = watch or refresh_interval is not None
    if watch and (check or json):
        raise CommandError("--watch goes on, and logs: leave out --check and --json")
    with compiler_extra("remote-sync"):
        import_module("cryptography")  # else it would be missed at the first signature
        from oneiric_compiler.cli import projects
        from oneiric_compiler.diagnostics.found import Diagnostics
    diagnostics = Diagnostics()
    project = projects.project_at(context.obj)
    settings = valid_settings(project, diagnostics) if manifest is not None or not watch else None
    if settings is not None and manifest is not None:
        _check_listed(settings.remote.sources, manifest, refresh_interval)
    if watch and not diagnostics.failed:
        _watch(context.obj)
        raise typer.Exit
    synced = None
    if settings is not None and check:
        _check(project, settings, diagnostics)
    elif settings is not None:
        synced = _sync(project, settings, diagnostics)
    code = _exit_code(diagnostics)
    sources = len(settings.remote.sources) if settings is not None else 0
    _show(projects.as_seen(diagnostics, context.obj), sources, synced, code, check, json)
    raise typer.Exit(code)


def _check_listed(sources: Iterable[RemoteSource], address: str, refresh: int | None) -> None:
    """Raises CommandError for an address that no source has, and for another `refresh` than the source's."""
    source = next((each for each in sources if each.address == address), None)
    if source is None:
        lines = f"{{name: NAME, address: {address}, keys: [PUBLIC_KEY], allow: [PACKAGE]}}"
        raise CommandError(
            f"settings/remote.yml lists no source at {address}",
            help=f"what is loaded is reviewed: add `{lines}` to its `sources`, with the key of who signs it",
        )
    if refresh not in (None, source.refresh):
        message = f"`{source.name}` is looked at every {source.refresh} s"
        raise CommandError(message, help=f"write `refresh: {refresh}` to it in settings/remote.yml")


def valid_settings(project: Project, diagnostics: Diagnostics) -> Settings | None:
    """The settings, None when `diagnostics` tells why they cannot be used."""
    from oneiric_compiler.stages.read import read

    settings = read(project, diagnostics)
    return None if diagnostics.failed else settings


def _check(project: Project, settings: Settings, diagnostics: Diagnostics) -> None:
    from oneiric_compiler.remote.check import check

    check(project, settings, diagnostics)


def _sync(project: Project, settings: Settings, diagnostics: Diagnostics) -> Synced:
    import asyncio

    with compiler_extra("remote-sync"):
        from oneiric_compiler.remote.fetch import BadEnvironment, Fetcher
        from oneiric_compiler.remote.pins import Pins
        from oneiric_compiler.remote.status import Busy, Memory
        from oneiric_compiler.remote.sync import sync, tell_disk

    async def run(progress: Progress | None) -> Synced:
        memory, pins = Memory(project.root), Pins(project.root, settings.app.output)
        async with memory.held(), Fetcher(progress) as fetcher:
            remembered = memory.read()
            synced = await sync(project, settings, fetcher, remembered, diagnostics)
            shown = memory.shown
            try:
                memory.write(remembered)
                shown = pins.shown
                if synced.ok:
                    pins.remove_unnamed(synced.lock)
            except OSError as error:
                tell_disk(error, shown, diagnostics)
            return synced

    try:
        with _progress() as progress:
            return asyncio.run(run(progress))
    except Busy as error:
        raise CommandError(str(error), help="wait for it to end, and try again") from error
    except BadEnvironment as error:
        raise CommandError(f"the environment cannot be used: {error}", help=_ENVIRONMENT) from error


@contextmanager
def _progress() -> Generator[Progress | None]:
    """A bar for all, and one for each source that answers, on a terminal; nothing elsewhere."""
    if not wanted():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TaskID, TextColumn

    tasks: dict[str, TaskID] = {}
    columns = (SpinnerColumn(spinner()), TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bars.add_task("asking the sources", total=None)

        def told(name: str, received: int, expected: int | None) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(visible(name), total=expected)
            bars.update(tasks[name], completed=received, total=expected)

        yield told


def _watch(root: Path) -> None:
    import asyncio
    import logging
    import os
    import signal

    with compiler_extra("remote-sync"):
        from oneiric.logging import configure_logging, get_logger

        from oneiric_compiler.remote.fetch import BadEnvironment
        from oneiric_compiler.remote.status import Busy
        from oneiric_compiler.remote.watch import SourceWatch

    configure_logging()
    log = get_logger()
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells every address in full

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, task.cancel)
        log.info("watching", project=str(root))
        try:
            await SourceWatch(root, os.environ, log).run()
        except asyncio.CancelledError:
            task.uncancel()
            log.info("stopped")

    try:
        asyncio.run(run())
    except Busy as error:
        raise CommandError(str(error)) from error
    except BadEnvironment as error:
        raise CommandError(f"the environment cannot be used: {error}", help=_ENVIRONMENT) from error


def _exit_code(diagnostics: Iterable[Diagnostic]) -> int:
    codes = {each.code for each in diagnostics if each.severity == "error"}
    if codes - FINDINGS:
        return 2
    return 1 if codes else 0


def _show(found: list[Diagnostic], sources: int, synced: Synced | None, code: int, check: bool, json: bool) -> None:
    from oneiric_compiler.cli import projects
    from oneiric_compiler.diagnostics.render import as_json

    status = ("match" if check else "synced", "differs" if check else "failed", "failed")[code]
    results: Mapping[str, Result] = synced.results if synced else {}
    if json:
        facts: Facts = {name: _facts(each.outcome, each.pin) for name, each in results.items()}
        result_text(as_json(found, status=status, sources=facts))
        return
    projects.show(found)
    lines: list[Line] = [[("settings/remote.yml names no source", "dim")]] if code == 0 and not sources else []
    if check and sources:
        lines = [[("match", "green")]] if code == 0 else []
    for name, each in results.items():
        style = _STYLES.get(each.outcome, "green")
        about = f"version {each.pin.version}, {each.pin.digest[:12]}" if each.pin else "nothing pinned"
        lines.append([(f"{each.outcome:<11} ", style), (f"{visible(name)} ({about})", "plain")])
    if synced and synced.changed:
        lines.append([("what is pinned changed: run `oneiric compile`", "dim")])
    result(lines)


def _facts(outcome: str, pin: Pin | None) -> Facts:
    return {"outcome": outcome, "version": pin.version if pin else None, "digest": pin.digest if pin else None}
