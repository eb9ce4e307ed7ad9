"""Which generation a runtime is of, those before it, and what its state folder remembers of them."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from oneiric.errors import LoadError, OneiricError, StateError
from oneiric.host import Host
from oneiric.lifecycle.steps import in_thread
from oneiric.reload.commit import Switch
from oneiric.reload.outcome import Nack, Overrides
from oneiric.reload.planning import Prepared
from oneiric.reload.recompile import recompile
from oneiric.reload.staging import Staging
from oneiric.reload.state import KEPT, Record, State
from oneiric.reload.transaction import prepared_from
from oneiric.wiring import artifacts_beside, file_of

_KEPT_IN_MEMORY = 1


class Generation(NamedTuple):
    """A wiring by its digest: where it can be loaded from again (a path, or the class), and its overrides."""

    digest: str
    source: Any
    overrides: Overrides = Overrides()


class History:
    """Of one runtime. `baseline` is the digest of what the current generation was built from, `source` where a
    reload finds the baseline, `artifacts` where its artifacts are pinned; without a state folder nothing outlives the
    process."""

    def __init__(self, host: Host, state: str | os.PathLike[str] | None, project: str | os.PathLike[str]) -> None:
        self.source: Any = file_of(host.wiring_class)
        self.artifacts = artifacts_beside(host.wiring_class)
        self.state = None if state is None else State(state)
        self._project = Path(project).absolute()
        self.current = Generation(host.generation, host.wiring_class)
        self.baseline = self.current.digest
        self.previous: list[Generation] = []
        self._host = host
        self._writing = asyncio.Lock()

    def advance(self, new: Generation, baseline: str) -> None:
        """Be of a new generation; the one until now can be returned to."""
        if new.digest != self.current.digest:
            self.previous = [self.current, *self.previous][: KEPT if self.state is not None else _KEPT_IN_MEMORY]
        self.current, self.baseline = new, baseline

    def go_back(self) -> None:
        """Be of the generation before this."""
        self.current, *self.previous = self.previous

    async def keep(self, rejected: str | None) -> None:
        """Write it down. Raises `OSError`."""
        if self.state is None:
            return
        # The record is made in its turn: a writing whose reload nobody waits for any longer goes on, and could else
        # come after the next one's, and write what is no longer so.
        async with self._writing:
            known = (self.current, *self.previous)
            overrides = {each.digest: each.overrides for each in known if each.overrides.active}
            previous = tuple(each.digest for each in self.previous)
            record = Record(self.baseline, self.current.digest, previous, overrides)
            (await in_thread(self.state.write, record, rejected)).get()

    async def prepared(self, source: Any) -> Prepared:
        """A wiring loaded and compared. Raises `Nack`."""
        return await prepared_from(self._host, source, self.artifacts)

    async def adopt(self, state: State, wiring: Path) -> str:
        """Take a wiring into the state folder; its digest. Raises `Nack`, `OSError`."""
        try:
            digest: str = (await in_thread(state.adopt, wiring)).get()
        except LoadError as error:
            raise Nack(error.code, str(error)) from error
        return digest

    async def built(self, state: State, baseline: str, overrides: Overrides) -> Generation:
        """A baseline with overrides, in the state folder: compiled, where there are any. Raises `Nack`, `OSError`."""
        if not overrides.active:
            return Generation(baseline, state.path(baseline))
        if self._host.wiring_class.__trust__ is not None:
            raise Nack("trust", "only signed wirings are trusted, and nobody signs what a swap compiles")
        host, part = self._host, state.part()
        try:
            profile = host.wiring_class.__profile__
            wiring = await recompile(self._project, part, overrides, profile, host.deadlines.compile)
            digest = await self.adopt(state, wiring)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return Generation(digest, state.path(digest), overrides)

    async def open(self) -> None:
        """Before anything is active: be of the last good generation where it was built from this baseline, else of
        the baseline with the overrides compiled onto it, or dropped with a report.

        Raises `StateError` for a folder that cannot be used, `OSError`.
        """
        state = self.state
        if state is None:
            return
        if self.source is None:
            raise StateError("a state folder needs a wiring that has a file")
        last: Record | None = (await in_thread(state.open)).get()
        # The baseline comes first: should the last generation be unusable, the application is of what was deployed.
        try:
            self.baseline = await self.adopt(state, Path(self.source))
            await self._be(Generation(self.baseline, state.path(self.baseline)))
            if last is not None:
                await self._resume(state, last)
            await self.keep(None)
        except Nack as error:
            raise StateError(str(error)) from error

    async def _resume(self, state: State, last: Record) -> None:
        overrides = last.overrides.get(last.generation, Overrides())
        try:
            if last.baseline == self.baseline and state.has(last.generation):
                await self._be(Generation(last.generation, state.path(last.generation), overrides))
                self.previous = [
                    Generation(digest, state.path(digest), last.overrides.get(digest, Overrides()))
                    for digest in last.previous
                    if state.has(digest)
                ]
            elif overrides.active:
                await self._be(await self.built(state, self.baseline, overrides))
        except (Nack, OSError) as error:
            self._host.report(OneiricError(f"swaps of the last run are dropped: {error}"))

    async def _be(self, generation: Generation) -> None:
        prepared = await self.prepared(generation.source)
        prepared.enter()
        Switch(self._host, Staging(self._host, prepared, force=False)).run()
        self.current = generation

    def close(self) -> None:
        """Let the state folder go."""
        if self.state is not None:
            self.state.close()
