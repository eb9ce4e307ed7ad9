"""Which generation a runtime is of, those before it, and what its state folder remembers of them."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from oneiric.errors import LoadError, OneiricError, StateError
from oneiric.host import Host
from oneiric.lifecycle.steps import in_thread
from oneiric.reload.commit import Switch
from oneiric.reload.outcome import Nack, Overrides
from oneiric.reload.planning import Prepared
from oneiric.reload.recompile import Order, recompile
from oneiric.reload.request import ASKING
from oneiric.reload.staging import Staging
from oneiric.reload.state import CHANGES, KEPT, Floor, Origin, Record, State
from oneiric.reload.transaction import prepared_from
from oneiric.wiring import Wiring, artifacts_beside, file_of

_KEPT_IN_MEMORY = 1
_DRIFT = "the settings are not those that the running wiring was compiled from:"
_DRIFT_HELP = "compile, review and reload them first, or include them (`swap --with-settings`)"


class Generation(NamedTuple):
    """A wiring by its digest: where it can be loaded from again (a path, or the class), its overrides, and what it was
    built from."""

    digest: str
    source: Any
    overrides: Overrides
    origin: Origin


class History:
    """Of one runtime. `deployed` is the digest of the wiring that was read from its files last, `source` where a reload
    finds these, `artifacts` where its artifacts are pinned; `dropped` are the swaps that this process did not take over
    from the one before, `why` not. `followed` is the state folder of another process that decides. Without one of
    its own nothing outlives the process."""

    def __init__(self, host: Host, state: str | os.PathLike[str] | None, project: str | os.PathLike[str]) -> None:
        self.source: Any = file_of(host.wiring_class)
        self.artifacts = artifacts_beside(host.wiring_class)
        self.state = None if state is None else State(state)
        self._project = Path(project).absolute()
        self.deployed = host.generation
        self.current = Generation(host.generation, host.wiring_class, Overrides(), Origin(host.generation))
        self.previous: list[Generation] = []
        self.changes: list[Mapping[str, Any]] = []
        self.dropped = Overrides()
        self.why = ""
        self.floor: Floor | None = None
        self._host = host
        self._writing = asyncio.Lock()
        self.followed: Path | None = None

    def advance(self, new: Generation, deployed: str, facts: Mapping[str, Any]) -> None:
        """Move to a new generation; the one before can be returned to. `facts` is what is remembered of the change."""
        before = self.current
        if new.digest != before.digest:
            self.previous = [before, *self.previous][: KEPT if self.state is not None else _KEPT_IN_MEMORY]
        self.current, self.deployed = new, deployed
        if (new.digest, new.overrides, new.origin) != (before.digest, before.overrides, before.origin):
            self._remember(before, facts)

    def go_back(self, to: Generation, facts: Mapping[str, Any]) -> None:
        """Go back to an earlier generation; the later ones cannot be returned to."""
        before = self.current
        self.current, *self.previous = self.previous[self.previous.index(to) :]
        self._remember(before, facts)

    def _remember(self, before: Generation, facts: Mapping[str, Any]) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        serial = self._host.wiring_class.__serial__
        numbered = {} if serial is None else {"serial": serial}
        change = {"at": at, **facts, "generation": self.current.digest, "previous": before.digest, **numbered}
        self.changes = [*self.changes, change][-CHANGES:]

    def earlier(self, to: str | None) -> Generation:
        """The generation before this, or the latest whose digest begins with `to`. Raises `Nack`."""
        if not self.previous:
            raise Nack("no-previous", "there is no generation before this one")
        if to is None:
            return self.previous[0]
        found: dict[str, Generation] = {}
        for each in self.previous:
            if to and each.digest.startswith(to):
                found.setdefault(each.digest, each)
        if len(found) == 1:
            (only,) = found.values()
            return only
        known = ", ".join(dict.fromkeys(each.digest[:12] for each in self.previous))
        what = f"several generations begin with {to}" if found else f"no generation before this one begins with {to}"
        raise Nack("no-previous", f"{what}: {known}")

    def record(self) -> Record:
        """All of it as it is written down."""
        known = (self.current, *self.previous)
        return Record(
            self.deployed,
            self.current.digest,
            tuple(each.digest for each in self.previous),
            {each.digest: each.overrides for each in known if each.overrides.active},
            {each.digest: each.origin for each in known if each.origin != Origin(self.deployed)},
            tuple(self.changes),
            self.floor,
        )

    def accept(self, wiring: type[Wiring], digest: str) -> bool:
        """Raise the floor to a signed wiring that has become current; whether that changed it."""
        if self.state is None or wiring.__serial__ is None:
            return False
        if self.floor is not None and wiring.__serial__ <= self.floor.serial:
            return False
        self.floor = Floor(wiring.__app__, wiring.__profile__, wiring.__serial__, digest)
        return True

    def _admit(self, wiring: str, digest: str) -> bytes:
        """The signature of a wiring that is verified, and no replay. Raises `TrustError`."""
        from oneiric.trust.signature import TrustError, read_beside, verify

        trust = self._host.wiring_class.__trust__
        assert trust is not None, "without trust nothing is verified"
        signature = read_beside(wiring)
        signed = verify(trust, wiring, digest, signature)
        barred = self.floor and self.floor.barring(Floor(signed.app, signed.profile, signed.serial, digest))
        if barred:
            raise TrustError(barred)
        return signature

    async def keep(self, rejected: str | None) -> None:
        """Write it down. Raises `OSError`."""
        if self.state is None:
            return
        # The record is made in its turn: a writing whose reload nobody waits for any longer goes on, and could else
        # come after the next one's, and write what is no longer so.
        async with self._writing:
            (await in_thread(self.state.write, self.record(), rejected)).get()

    async def tidy(self, rejected: str | None) -> None:
        """Remove what was made for a plan."""
        if self.state is not None:
            async with self._writing:
                with suppress(OSError):
                    (await in_thread(self.state.forget, self.record(), rejected)).get()

    async def prepared(self, source: Any, digest: str) -> Prepared:
        """A wiring loaded and compared; a file must have the digest, where that is known (not ""). Raises `Nack`."""
        prepared = await prepared_from(self._host, source, self.artifacts)
        if digest and isinstance(source, Path) and prepared.digest != digest:
            raise Nack(
                "load", f"{source} is not what became current: its digest is {prepared.digest[:12]}, not {digest[:12]}"
            )
        return prepared

    async def adopt(self, state: State, wiring: Path, *, deployed: bool = False) -> str:
        """Take a wiring into the state folder; its digest. Raises `Nack`, `OSError`."""
        admit = None if self._host.wiring_class.__trust__ is None else self._admit
        try:
            digest: str = (await in_thread(partial(state.adopt, wiring, deployed=deployed, admit=admit))).get()
        except LoadError as error:
            raise Nack(error.code, str(error)) from error
        return digest

    async def built(
        self, state: State, origin: Origin, overrides: Overrides, *, with_settings: bool = False
    ) -> tuple[Generation, Mapping[str, Any] | None]:
        """A baseline with overrides, in the state folder: compiled, where there are any. Of a compile, what it means.

        With `with_settings` the baseline is what the settings come to now. Raises `Nack`, `OSError`.
        """
        if not with_settings:
            if not overrides.active:
                return Generation(origin.baseline, state.path(origin.baseline), overrides, origin), None
            current: Generation = self.current
            if (current.overrides, current.origin) == (overrides, origin):
                return current, None
        if self._host.wiring_class.__trust__ is not None:
            raise Nack("trust", "only signed wirings are trusted, and what a swap compiles is not signed")
        part = state.part()
        try:
            made = await recompile(self._order(state, origin, overrides), part, self._host.deadlines.compile)
            if made.drift is not None:
                if not with_settings:
                    raise Nack("drift", f"{_DRIFT}\n{made.drift}\n{_DRIFT_HELP}")
                plain = await self.adopt(state, made.plain)
                origin = Origin(plain, plain != self.deployed)
            digest = await self.adopt(state, made.swapped)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return Generation(digest, state.path(digest), overrides, origin), made.diff

    def _order(self, state: State, origin: Origin, overrides: Overrides) -> Order:
        current = file_of(self._host.wiring_class)
        assert current is not None, "a runtime with a state folder needs a wiring that has a file"
        baseline = state.path(origin.baseline).parent
        return Order(self._project, self._host.wiring_class.__profile__, overrides, baseline, Path(current).parent)

    async def open(self) -> None:
        """Before anything is active: take the last good generation where it was built from what is deployed now, else
        what is deployed, with the overrides compiled onto it or dropped with a report.

        Raises `StateError` for a folder that cannot be used, `OSError`.
        """
        state = self.state
        if state is None:
            return
        if self.source is None:
            raise StateError("a state folder needs a wiring that has a file")
        last: Record | None = (await in_thread(state.open)).get()
        self.floor = None if last is None else last.floor
        # The baseline comes first: should the last generation be unusable, the application is of what was deployed.
        try:
            self.deployed = await self.adopt(state, Path(self.source), deployed=True)
            await self.be(Generation(self.deployed, state.path(self.deployed), Overrides(), Origin(self.deployed)))
            if last is not None:
                self.changes = list(last.changes)
                await self._resume(state, last)
            self._begin(last)
            await self.keep(None)
        except Nack as error:
            if error.code == "trust":
                from oneiric.trust.signature import TrustError

                raise TrustError(str(error)) from error
            raise StateError(str(error)) from error

    async def started(self) -> None:
        """After everything eager has started: the wiring is one that this folder accepted. Raises `OSError`."""
        if self.accept(self._host.wiring_class, self.current.digest):
            await self.keep(None)

    def _begin(self, last: Record | None) -> None:
        """Remember the start of this process where it is of another generation than the last, or without its swaps."""
        if last is not None and last.generation == self.current.digest and not self.dropped.active:
            return
        dropped = {"dropped": self.dropped.document(), "reason": self.why} if self.dropped.active else {}
        before = self.current if last is None else self.current._replace(digest=last.generation)
        self._remember(before, {"by": ASKING.get(), "what": "start", **dropped})

    async def _resume(self, state: State, last: Record) -> None:
        overrides, origin = last.overrides.get(last.generation, Overrides()), last.origin(last.generation)
        try:
            if last.deployed == self.deployed and state.has(last.generation) and state.has(origin.baseline):
                await self.be(Generation(last.generation, state.path(last.generation), overrides, origin))
                self.previous = [
                    Generation(digest, state.path(digest), last.overrides.get(digest, Overrides()), last.origin(digest))
                    for digest in last.previous
                    if state.has(digest)
                ]
            elif overrides.active:
                await self.be((await self.built(state, Origin(self.deployed), overrides))[0])
        except (Nack, OSError) as error:
            self.dropped, self.why = overrides, str(error)
            self._host.report(OneiricError(f"swaps of the last run are dropped ({overrides.words()}): {error}"))

    async def be(self, generation: Generation) -> None:
        """Switch to a generation before anything is active. Raises `Nack`."""
        prepared = await self.prepared(generation.source, generation.digest)
        prepared.enter()
        Switch(self._host, Staging(self._host, prepared, force=False)).run()
        self.current = generation

    def close(self) -> None:
        """Let the state folder go."""
        if self.state is not None:
            self.state.close()
