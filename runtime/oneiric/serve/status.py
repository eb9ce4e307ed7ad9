"""What a process is doing, as one document: answered by it, and left in its state folder for when it is gone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from oneiric.documents import write
from oneiric.errors import refused
from oneiric.lifecycle.activation import essential
from oneiric.lifecycle.health import Health, ask_all
from oneiric.runtime import Runtime, changes_of, host_of
from oneiric.serve.folder import STATUS_FORMAT, StateFolder
from oneiric.serve.notes import Notes
from oneiric.serve.runs import Runs
from oneiric.slot import Slot

_SUMMED_UP = 1.0
"""Seconds for the runs and queues of a status."""
_PAUSE = 0.2
"""Seconds between two snapshots at least."""


def now() -> str:
    """The time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Status:
    """Of one process. `state`: starting, running, stopping, stopped or failed; `last` the last change of the wiring;
    `address` the loopback port's, `http` that of probes from outside."""

    def __init__(
        self, folder: StateFolder, runtime: Runtime[Any], notes: Notes, runs: Runs, log: Any, *, name: str, wiring: str
    ) -> None:
        self.state = "starting"
        self.last: Mapping[str, object] | None = None
        self.address: str | None = None
        self.http: str | None = None
        self._folder = folder
        self._runtime = runtime
        self._host = host_of(runtime)
        self._notes = notes
        self._runs = runs
        self._log = log
        self._name = name
        self._wiring = wiring
        self._pid = os.getpid()
        self._since = now()
        self._changed = asyncio.Event()

    def failing(self) -> list[str]:
        """The keys of the base that are eager, or that one of these needs, and were not well when looked at last."""
        unwell = {each.key for each in self._unwell() if each.tenant is None}
        return sorted(unwell & essential(self._host.base.slots().values())) if unwell else []

    def _unwell(self) -> list[Health]:
        return [] if self._host.looks is None else self._host.looks.unwell()

    async def whole(self) -> dict[str, Any]:
        """The document, with the runs and queues as they are now where runs are carried on here."""
        return {**self.document(), **await self._runs.summary(_SUMMED_UP)}

    def document(self) -> dict[str, Any]:
        """The whole of it; only the components that are not inactive, or have a note."""
        runtime, host = self._runtime, self._host
        rejected, history = runtime.rejected, changes_of(runtime).history
        return {
            "format": STATUS_FORMAT,
            "name": self._name,
            "app": host.wiring_class.__app__,
            "profile": host.wiring_class.__profile__,
            "role": host.role,
            "pid": self._pid,
            "state": self.state,
            "started_at": self._since,
            "written_at": now(),
            "wiring": self._wiring,
            "address": self.address,
            "http": self.http,
            "generation": runtime.generation,
            "serial": host.wiring_class.__serial__,
            "overrides": runtime.overrides.document(),
            "baseline": {"deployed": history.deployed, **history.current.origin._asdict()},
            "dropped": {**history.dropped.document(), "reason": history.why} if history.dropped.active else None,
            "rejected": None if rejected is None else {"generation": rejected.generation, "reason": rejected.reason},
            "last_change": self.last,
            "keys": len(host.base.slots()),
            "components": self._components(),
            "notes": self._notes.keys,
        }

    def keys(self) -> dict[str, Any]:
        """Every key of the base and what tenants have of their own, active or not."""
        rows = [_row(slot) for slot in sorted(self._host.slots(), key=_order)]
        return {"keys": rows, "notes": self._notes.keys, "generation": self._runtime.generation}

    async def health(self, probe: bool, within: float) -> dict[str, Any]:
        """Whether it is up, and its components are well: all of them as they answer within so many seconds now, or,
        without `probe`, those that were not well when looked at last."""
        answers = await ask_all(self._host, within) if probe else self._unwell()
        ok = self.state == "running" and all(answer.ok for answer in answers)
        return {"ok": ok, "state": self.state, "components": [answer._asdict() for answer in answers]}

    def _components(self) -> list[dict[str, Any]]:
        unwell = {(each.tenant, each.key): each.reason for each in self._unwell()}
        shown = [slot for slot in self._host.slots() if slot.state != "inactive"]
        return [{**_row(slot), "unwell": unwell.get((slot.tenant, slot.key))} for slot in sorted(shown, key=_order)]

    def enter(self, state: str) -> None:
        """Go over to a state, log it and write it down."""
        self.state = state
        self._log.info(state, generation=self._runtime.generation)
        self.write()

    def change(self) -> None:
        """Something changed: the snapshot is written soon."""
        self._changed.set()

    def write(self) -> None:
        """Write the snapshot now; a disk that refuses it is logged."""
        self._changed.clear()
        if os.getpid() != self._pid:  # a forked process, which is not the one that is served
            return
        try:
            write(self._folder.status, self.document())
        except OSError as error:
            self._log.error("the lifecycle snapshot cannot be written", reason=refused(error))

    async def keep(self) -> None:
        """Write the snapshot after each change, until cancelled."""
        while True:
            await self._changed.wait()
            self.write()
            await asyncio.sleep(_PAUSE)


def _order(slot: Slot[Any]) -> tuple[str, str]:
    return slot.tenant or "", slot.key


def _row(slot: Slot[Any]) -> dict[str, Any]:
    domain, _, key = slot.key.partition(":")
    return {
        "tenant": slot.tenant,
        "domain": domain,
        "key": key,
        "provider": slot.binding.provider,
        "state": slot.state,
        "leases": 0 if slot.held is None else slot.held.leases,
    }
