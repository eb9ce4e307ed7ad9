"""A watch: each source looked at again and again; a new version is pinned, compiled and reloaded.

Whatever fails keeps the last good one, is remembered for `remote-status`, and is tried again at the next look.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from oneiric.errors import OneiricError
from oneiric.serve.client import answer, running
from oneiric.serve.folder import StateFolder
from oneiric.serve.logs import log_error
from oneiric.tracing import words

from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.manifests.lock import LockError
from oneiric_compiler.model import Project, RemoteSource, Settings
from oneiric_compiler.remote.fetch import Fetcher
from oneiric_compiler.remote.pins import Pins
from oneiric_compiler.remote.status import Busy, Memory, Remembered
from oneiric_compiler.remote.sync import Result, sync
from oneiric_compiler.stages.read import read

COMPILE_SECONDS = 600.0
"""How long a compile may take."""
JITTER = 0.1
"""The part of a refresh interval by which a look may come earlier or later, so that many watches spread theirs."""
IDLE = 60.0
"""Seconds until the next look where no source says when, and at most after a look that failed as a whole."""
_REASON = 4000


class SourceWatch:
    """The looks at a project's sources; the settings are read again for each. `log` takes every event."""

    def __init__(self, root: Path, environ: Mapping[str, str], log: Any) -> None:
        self._project = Project.at(root, environ)
        self._memory = Memory(self._project.root)
        self._log = log
        self._due: dict[str, float] = {}
        self._again = IDLE
        self._compiled = False

    async def run(self) -> None:
        """Look until cancelled. Raises `Busy` where another watch is running, `OSError` where that cannot be told,
        and `BadEnvironment`.
        """
        loop = asyncio.get_running_loop()
        with self._memory.watching():
            async with Fetcher() as fetcher:
                while True:
                    try:
                        await self._look(fetcher)
                    except Exception as error:  # a watch outlives what it cannot answer
                        log_error(self._log, "look", error)
                        await self._note("look", words(error))
                        self._postpone()
                    await asyncio.sleep(max(0.0, min(self._due.values(), default=loop.time() + IDLE) - loop.time()))

    async def _look(self, fetcher: Fetcher) -> None:
        """Every source that is due, each on its own, so that what is wrong with one holds up no other."""
        diagnostics = Diagnostics()
        settings = read(self._project, diagnostics)
        if settings is None or diagnostics.failed:
            self._log.warning("settings", reason=_first(diagnostics))
            await self._note("settings", _first(diagnostics))
            self._postpone()
            return
        await self._note("settings", None)
        sources = settings.remote.sources
        if self._lacks_pins(settings):
            await self._turn(settings, fetcher, {source.name for source in sources})
            self._schedule(sources)
        for source in sources:
            if self._due.get(source.name, 0.0) <= asyncio.get_running_loop().time():
                await self._turn(settings, fetcher, {source.name})
                self._schedule([source])
        self._due = {source.name: self._due[source.name] for source in sources}
        self._again = min((IDLE, *(source.refresh for source in sources)))
        await self._note("look", None)

    def _postpone(self) -> None:
        self._due = dict.fromkeys(self._due, asyncio.get_running_loop().time() + self._again)

    def _lacks_pins(self, settings: Settings) -> bool:
        """Whether a compile has to wait until every source is pinned: then all are looked at together."""
        try:
            pinned = Pins(self._project.root, settings.app.output).lock().sources
        except (LockError, OSError):
            return False  # a sync tells of it
        return any(source.required and source.name not in pinned for source in settings.remote.sources)

    def _schedule(self, sources: tuple[RemoteSource, ...] | list[RemoteSource]) -> None:
        for source in sources:
            wait = source.refresh * random.uniform(1 - JITTER, 1 + JITTER)
            self._due[source.name] = asyncio.get_running_loop().time() + wait

    async def _turn(self, settings: Settings, fetcher: Fetcher, names: set[str]) -> None:
        async with self._memory.held():
            remembered = self._memory.read()
            compiled = await self._pin(settings, fetcher, names, remembered)
            self._memory.write(remembered)
        if compiled or "reload" in remembered.steps:
            await self._note("reload", await self._reload())

    async def _pin(self, settings: Settings, fetcher: Fetcher, names: set[str], remembered: Remembered) -> bool:
        """Pin what the sources have, and compile it; whether there was something to compile and it compiled."""
        diagnostics = Diagnostics()
        pins = Pins(self._project.root, settings.app.output)
        saved = pins.saved()
        synced = await sync(self._project, settings, fetcher, remembered, diagnostics, only=names)
        for name, result in synced.results.items():
            self._tell(name, result)
        if not synced.ok:
            reason = None if synced.results else _first(diagnostics)
            if reason is not None:
                self._log.warning("pin failed", reason=reason)
            remembered.step("pin", reason)
            return False
        remembered.step("pin", None)
        if not synced.changed and self._compiled and "compile" not in remembered.steps:
            return False
        reason = await self._compile(pins, saved)
        remembered.step("compile", reason)
        if reason is None:
            self._compiled = True
            pins.remove_unnamed(synced.lock)
        return reason is None

    def _tell(self, name: str, result: Result) -> None:
        facts: dict[str, object] = {"source": name, "outcome": result.outcome}
        if result.pin:
            facts |= {"version": result.pin.version, "digest": result.pin.digest}
        if result.rule:
            self._log.warning("look", **facts, rule=result.rule, reason=result.reason)
        else:
            self._log.info("look", **facts)

    async def _compile(self, pins: Pins, saved: dict[str, bytes]) -> str | None:
        """Compile what is pinned, in a child; why that failed, and then `saved` is pinned again."""
        reason: str | None = "the compile was interrupted"
        try:
            reason = await _compile(self._project)
        finally:
            if reason is not None:
                pins.restore(saved)
        if reason is None:
            self._log.info("compiled")
        else:
            self._log.warning("compile failed", reason=reason)
        return reason

    async def _reload(self) -> str | None:
        """Let every running process of the project take over what was compiled; why one did not."""
        failed: list[str] = []
        for folder in StateFolder.all(self._project.root):
            try:
                if not running(folder):
                    continue
                told = await answer(folder, "reload", plan=False, force=False)
                reason = None if told["accepted"] else str(told["reason"])
            except (OneiricError, OSError) as error:
                reason = str(error)
            if reason is None:
                self._log.info("reloaded", process=folder.name)
            else:
                self._log.warning("reload rejected", process=folder.name, reason=reason)
                failed.append(f"{folder.name}: {reason}")
        return "; ".join(failed) or None

    async def _note(self, step: str, reason: str | None) -> None:
        """Remember that a step failed, or no longer does, where that can be written at all."""
        with suppress(Busy, OSError):
            if reason is not None or step in self._memory.read().steps:
                async with self._memory.held():
                    remembered = self._memory.read()
                    remembered.step(step, reason)
                    self._memory.write(remembered)


async def _compile(project: Project) -> str | None:
    """`oneiric compile` as a child: what fails in it cannot hurt this process. Why it failed, None when it did not."""
    command = [sys.executable, "-P", "-m", "oneiric_compiler", "--project", str(project.root), "compile"]
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=dict(project.environ),
    )
    try:
        async with asyncio.timeout(COMPILE_SECONDS):
            _, said = await child.communicate()
    except TimeoutError:
        return f"the compiler took longer than {COMPILE_SECONDS:g} seconds"
    finally:
        if child.returncode is None:
            child.kill()
            await asyncio.shield(child.wait())
    if not child.returncode:
        return None
    how = f"killed by signal {-child.returncode}" if child.returncode < 0 else f"answered {child.returncode}"
    return f"the compiler {how}:\n{said.decode(errors='replace').strip()[-_REASON:]}"


def _first(diagnostics: Diagnostics) -> str:
    """The first error, as a reason."""
    return next((f"{each.code}: {each.message}" for each in diagnostics if each.severity == "error"), "not readable")
