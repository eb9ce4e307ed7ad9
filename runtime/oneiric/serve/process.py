"""The process of `oneiric serve`: from its start to the last close."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from oneiric.errors import LoadError, OneiricError, PreflightError, StateError
from oneiric.host import Host
from oneiric.lifecycle.activation import renew
from oneiric.lifecycle.health import Health
from oneiric.lifecycle.looks import Looks
from oneiric.loading import load
from oneiric.logging import configure_logging, get_logger
from oneiric.preflight.check import preflight
from oneiric.reload.outcome import RolledBack
from oneiric.reload.request import ASKING
from oneiric.reload.state import State
from oneiric.runtime import Runtime, changes_of, host_of
from oneiric.serve import control, ending, metrics, probes
from oneiric.serve.changes import Changes
from oneiric.serve.checkpoints import ENGINE, Checkpoints, engine_of, kept
from oneiric.serve.client import running
from oneiric.serve.folder import StateFolder
from oneiric.serve.gate import answering
from oneiric.serve.gauges import Gauges
from oneiric.serve.invoking import Invoking
from oneiric.serve.logs import log_error, spans
from oneiric.serve.messages import Messages
from oneiric.serve.notes import Notes
from oneiric.serve.runs import Runs
from oneiric.serve.sockets import LOOPBACK, address_of, bound, control_socket
from oneiric.serve.status import Status
from oneiric.serve.supervisor import Supervisor
from oneiric.serve.ticking import Ticking
from oneiric.tracing import forget, record
from oneiric.trust.signature import Trust, TrustError
from oneiric.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Serving:
    """What to serve, and how.

    `root` is the project's folder, `wiring` the path of a `wiring.py`, `name` the process's (None: the app's), `state`
    its folder (None: the one of its name in the project), `port` the loopback port (None: none, 0: any), `http` the
    host and port of probes from outside (None: none), `watch` whether a change of the wiring's files is a reload,
    `provisional` the seconds after which a change is kept, `health_period` those after which components are looked at
    again (0: never), `trust` who has to have signed the wiring (None: nobody), `asked` the app (None: any) and the
    profile that a signed wiring has to be of, `role` what starts (None: all that is eager), `checkpoints` where runs
    are kept (None: as the settings say), `http_token` what calls, workflows and events are asked with at that address
    (None: they are not), `locate` what shows a place of the settings as it is today.
    """

    root: Path
    wiring: Path
    name: str | None
    state: Path | None
    port: int | None
    http: tuple[str, int] | None
    watch: bool
    provisional: float
    health_period: float
    trust: Trust | None = None
    asked: tuple[str | None, str] | None = None
    role: str | None = None
    checkpoints: Checkpoints | None = None
    http_token: str | None = None
    locate: Callable[[str], str] = str


class NameTaken(StateError):
    """A process of this name is running already."""


def serve(serving: Serving) -> int:
    """Run until SIGTERM or SIGINT; 0 when everything closed well, 1 when something did not start or close. Where a
    component exits, with its code; a thread of one that goes on then is left to itself.

    Raises `OneiricError` and `OSError` for what keeps it from starting at all: no wiring, a folder in use.
    """
    wiring = load(serving.wiring, trust=serving.trust)
    if serving.trust is not None and serving.asked is not None:
        _check_asked(wiring, *serving.asked)
    sys.path[:0] = source_roots(serving.root, wiring)
    name = serving.name or wiring.__app__
    folder = StateFolder.of(serving.root, name) if serving.state is None else StateFolder(serving.state)
    socket_path = folder.socket
    folder.make()
    engine = None if serving.checkpoints is None else engine_of(serving.checkpoints)
    runtime = Runtime(
        wiring,
        replace=None if engine is None else {ENGINE: engine},
        state=folder.path,
        project=serving.root,
        provisional=serving.provisional,
        role=serving.role,
    )
    with _having(folder, changes_of(runtime).history.state, name):
        configure_logging()
        log = get_logger(process=name)
        process = Process(serving, runtime, folder, name, log, engine)
        return ending.run(process.main(socket_path), process.exits)


@contextmanager
def _having(folder: StateFolder, state: State | None, name: str) -> Generator[None]:
    """Have the state folder before anything in it is touched, and until nothing will be."""
    assert state is not None
    try:
        state.lock.take()
    except StateError:
        if running(folder):
            raise NameTaken(f"a process {name} is running already") from None
        raise
    try:
        yield
    finally:
        state.lock.let_go()


def _check_asked(wiring: type[Wiring], app: str | None, profile: str) -> None:
    """See that a signed wiring is the one that was asked for, wherever it lies. Raises `TrustError`."""
    if profile != wiring.__profile__ or app not in (None, wiring.__app__):
        found = f"{wiring.__app__}, profile {wiring.__profile__}"
        raise TrustError(f"{wiring.__file__} is of {found}; asked for is {app or wiring.__app__}, profile {profile}")


def source_roots(root: Path, wiring: type[Wiring]) -> list[str]:
    """Where a project's components are imported from, as its wiring says. Raises `LoadError` for what is outside."""
    found: list[str] = []
    for name in wiring.__source_roots__:
        path = (root / name).resolve()
        if Path(name).is_absolute() or ".." in Path(name).parts or not path.is_relative_to(root.resolve()):
            raise LoadError("shape", f"the source root {name} of the wiring lies outside of the project")
        found.append(str(path))
    return found


class Process:
    """One process: its runtime, what is told about it (`status`), and what operates it (`changes`, `notes`)."""

    def __init__(
        self, serving: Serving, runtime: Runtime[Any], folder: StateFolder, name: str, log: Any, engine: Any = None
    ) -> None:
        self._serving = serving
        self._engine = engine
        self._runtime = runtime
        self._log = log
        self._name = name
        self.notes = Notes(folder, host_of(runtime), log, lambda: self.status.change())
        wiring = str(serving.wiring.absolute())
        self.runs = Runs(host_of(runtime))
        self.messages = Messages(host_of(runtime))
        self.ticking = Ticking(host_of(runtime))
        self.invoking = Invoking(host_of(runtime))
        self._gauges = Gauges(host_of(runtime), self.runs, self.messages, folder.path)
        self.status = Status(folder, runtime, self.notes, self.runs, log, name=name, wiring=wiring)
        self._supervisor = Supervisor(os.environ, log)
        self.changes = Changes(runtime, self.status, self._supervisor, log)
        host_of(runtime).preflight = self._preflight
        self._looks = self._look_at(host_of(runtime)) if serving.health_period else None
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._exited: ending.Exit | None = None

    def _look_at(self, host: Host) -> Looks:
        looks = host.looks = Looks(host, renew, period=self._serving.health_period, told=self._looked)
        return looks

    def _looked(self, answer: Health) -> None:
        """A component answers something else than when it was looked at before."""
        domain, _, key = answer.key.partition(":")
        facts = {"domain": domain, "key": key, "provider": answer.provider}
        facts |= {} if answer.tenant is None else {"tenant": answer.tenant}
        if answer.ok:
            self._log.info("well again", **facts)
        else:
            self._log.warning("unwell", reason=answer.reason, **facts)
        self.status.change()

    async def _preflight(self, host: Host) -> None:
        """Tell everything that is missing, and start nothing where that is what starts. Raises `PreflightError`."""
        found = await preflight(host)
        for each in found.missing:
            self._log.error("missing", kind=each.kind, name=each.name, reason=each.told(self._serving.locate))
        if found.later or found.unasked:
            wants = [want for each in found.later for want in each.wanted]
            self._log.warning(
                "missing later",
                count=len(found.later),
                keys=len({want.key for want in wants if want.tenant is None}),
                tenants=len({want.tenant for want in wants} - {None}),
                unasked=found.unasked,
                help="`oneiric env --check` names them",
            )
        found.check()

    async def main(self, socket_path: str) -> int:
        """From the first answer to the last close; the exit code."""
        asyncio.get_running_loop().set_exception_handler(self._unhandled)
        async with self._answering(socket_path):
            return await self._run()

    def exits(self, error: ending.Exit) -> None:
        """A component wants to end the interpreter: everything is closed first."""
        self._exited = error
        log_error(self._log, "a task ended the process", error)

    @asynccontextmanager
    async def _answering(self, socket_path: str) -> AsyncGenerator[None]:
        """Answer at the control socket, at the loopback port, and probes from outside."""
        async with AsyncExitStack() as stack:
            listening = stack.enter_context(control_socket(socket_path))
            await stack.enter_async_context(answering(control.application(self, self._log), listening, patient=True))
            exported = (self._serving.port, self._serving.http) != (None, None) and metrics.exporting(self._name)
            if self._serving.port is not None:
                app = metrics.measured(probes.inside(self.status), exported=exported)
                self.status.address, site = self._probes(LOOPBACK, self._serving.port, app)
                await stack.enter_async_context(site)
            if self._serving.http is not None:
                app = metrics.measured(probes.outside(self.status), exported=exported)
                if self._serving.http_token is not None:
                    from oneiric.serve.asking import asking

                    app = asking(app, host_of(self._runtime), self.runs, self._serving.http_token)
                patient = self._serving.http_token is not None
                self.status.http, site = self._probes(*self._serving.http, app, patient=patient)
                await stack.enter_async_context(site)
            yield

    def _probes(
        self, host: str, port: int, app: web.Application, *, patient: bool = False
    ) -> tuple[str, AbstractAsyncContextManager[None]]:
        listening = bound(host, port)
        address = f"http://{address_of(host, listening.getsockname()[1])}"
        self._log.info("listening", address=address)
        return address, answering(app, listening, patient=patient)

    async def _run(self) -> int:
        """Start, run until told to stop, close; the exit code."""
        main = asyncio.current_task()
        assert main is not None
        with self._signals(main), self._told(), self._supervisor.watched():
            try:
                return await self._live()
            except asyncio.CancelledError:
                main.uncancel()
                failed = self._exited is not None and ending.exit_code(self._exited)
                self.status.enter("failed" if failed else "stopped")
                return 0
            except (StateError, OSError):
                self.status.enter("failed")
                raise
            except PreflightError as error:
                self._log.error("nothing was started", missing=len(error.missing))
                self.status.enter("failed")
                return 1
            except (OneiricError, ExceptionGroup) as error:
                log_error(self._log, "error", error)
                self.status.enter("failed")
                return 1

    async def _live(self) -> int:
        self.status.enter("starting")
        async with AsyncExitStack() as stack:
            if self._engine is not None:
                await stack.enter_async_context(kept(self._engine))
            await stack.enter_async_context(self._runtime)
            self._gauges.begin()
            self.status.enter("running")
            self._supervisor.ready()
            if self._looks is not None:
                self._looks.begin()
            if self._serving.watch:
                self._spawn(self._watch())
            try:
                await self._stop.wait()
            finally:
                self.status.enter("stopping")
                self._supervisor.stopping()
                await self._stop_background()
            if self.notes.draining:
                await asyncio.wait(self.notes.draining)
        self.status.enter("stopped")
        return 0

    async def _stop_background(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    @contextmanager
    def _signals(self, main: asyncio.Task[Any]) -> Generator[None]:
        """SIGTERM and SIGINT stop, a second one no longer waits for leases; SIGHUP reloads."""
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if self._stop.is_set() or self.status.state != "running":
                main.cancel()
            self._stop.set()

        loop.add_signal_handler(signal.SIGTERM, stop)
        loop.add_signal_handler(signal.SIGINT, stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self._reload("SIGHUP")))
        try:
            yield
        finally:
            for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(each)

    @contextmanager
    def _told(self) -> Generator[None]:
        """Log every span, and keep the lifecycle snapshot up to date."""
        recorder = spans(self._log, lambda: self._runtime.generation, self.status.change)
        record(recorder)
        writer = asyncio.ensure_future(self.status.keep())
        try:
            yield
        finally:
            writer.cancel()
            forget(recorder)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log_error(self._log, "error", error)

    def _unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What the event loop calls for errors that nobody waits for."""
        error = context.get("exception")
        if isinstance(error, RolledBack):
            self.changes.undone(error)
        elif isinstance(error, BaseException):
            log_error(self._log, "error", error)
        else:
            self._log.error("error", reason=context.get("message"))

    async def _reload(self, trigger: str) -> None:
        ASKING.set(trigger)
        try:
            await self.changes.reload()
        except (OneiricError, OSError) as error:
            log_error(self._log, "reload failed", error)

    async def _watch(self) -> None:
        from oneiric.serve.watch import watch

        await watch(self._serving.wiring, self._runtime.generation, partial(self._reload, "--watch"))
