"""Pausing and draining keys: an operator's notes, kept across restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from oneiric.documents import Shape, read, write
from oneiric.errors import OneiricError
from oneiric.host import Host
from oneiric.lifecycle.activation import activate_all, eager
from oneiric.lifecycle.closing import retire
from oneiric.serve.folder import NOTES, StateFolder
from oneiric.slot import Held
from oneiric.tracing import words
from oneiric.wiring import target_of

FORMAT = "oneiric.notes/1"
_SHAPE: Shape = {"format": FORMAT, "keys": NOTES}
_MEND = "repair it, or remove it: then nothing is paused or drained any more"
Kind: TypeAlias = Literal["pause", "drain"]
Note: TypeAlias = dict[str, str]


class Notes:
    """For each key what is noted to `pause` and to `drain` it. A key with any note takes no new activations."""

    def __init__(self, folder: StateFolder, host: Host, log: Any, changed: Callable[[], object]) -> None:
        """Reads what was noted before; `changed` is called after each change. Raises `StateError`."""
        self._path = folder.notes
        self._host = host
        self._log = log
        self._changed = changed
        self.draining: set[asyncio.Task[list[Exception]]] = set()
        document: dict[str, Any] = read(self._path, _SHAPE, _MEND) or {"keys": {}}
        self.keys: dict[str, dict[Kind, Note]] = document["keys"]
        for key in self.keys:
            self._apply(key)

    async def pause(self, key: str, note: str, resume: bool) -> dict[str, Any]:
        """Let nothing new of a key be activated, or with `resume` no longer so. Raises `UnknownKey`, `OSError`."""
        return await self._note("pause", target_of(self._host.wiring_class, key), note, resume)

    async def drain(self, key: str, note: str, resume: bool) -> dict[str, Any]:
        """The same, and close what is active of it."""
        key = target_of(self._host.wiring_class, key)
        answer = await self._note("drain", key, note, resume)
        if not resume:
            answer["reports"] = [words(error) for error in await self._drain(key)]
            self._changed()
        return answer

    async def _note(self, kind: Kind, key: str, note: str, resume: bool) -> dict[str, Any]:
        reports: list[str] = []
        if not resume:
            self._put(kind, key, note)
        elif self._remove(kind, key) and key not in self.keys:
            reports = await self._resume()
        domain, _, name = key.partition(":")
        self._log.info(kind, domain=domain, key=name, note=note, resume=resume)
        self._changed()
        return {"key": key, "notes": self.keys.get(key, {}), "reports": reports}

    def _put(self, kind: Kind, key: str, note: str) -> None:
        """Note it, first on disk. Raises `UnknownKey`, `OSError`."""
        self._host.base.slot(key)
        written = {"note": note, "since": datetime.now(UTC).isoformat(timespec="seconds")}
        self._save({**self.keys, key: {**self.keys.get(key, {}), kind: written}})
        self._apply(key)

    def _remove(self, kind: Kind, key: str) -> bool:
        """Take that note away, first on disk; whether there was one. The other kind's stays. Raises `OSError`."""
        left: dict[Kind, Note] = {each: note for each, note in self.keys.get(key, {}).items() if each != kind}
        had = kind in self.keys.get(key, {})
        kept = {each: notes for each, notes in self.keys.items() if each != key}
        if left:
            kept[key] = left
        self._save(kept)
        self._apply(key)
        return had

    async def _drain(self, key: str) -> list[Exception]:
        """Close what is active of a key, in the base and for tenants, each when its last lease ends, or when the
        drain deadline has passed. The errors on the way."""
        host = self._host
        helds = [held for slot, held in host.active.items() if slot.key == key and held.owned]
        closing = [host.spawn(_close(host, held)) for held in helds]
        self.draining.update(closing)
        for task in closing:
            task.add_done_callback(self.draining.discard)
        return [error for errors in await asyncio.gather(*map(asyncio.shield, closing)) for error in errors]

    async def _resume(self) -> list[str]:
        """Activate what is eager and had to wait; what was wrong with that. The rest waits for its next use."""
        try:
            await activate_all(eager(self._host.base.slots().values()))
        except OneiricError as error:
            return [words(error)]
        return []

    def _save(self, keys: dict[str, dict[Kind, Note]]) -> None:
        write(self._path, {"format": FORMAT, "keys": dict(sorted(keys.items()))})
        self.keys = keys

    def _apply(self, key: str) -> None:
        notes = self.keys.get(key)
        if notes:
            self._host.paused[key] = "; ".join(f"{kind}: {note['note']}" for kind, note in sorted(notes.items()))
        else:
            self._host.resume(key)


async def _close(host: Host, held: Held) -> list[Exception]:
    until = asyncio.get_running_loop().time() + host.deadlines.drain
    return await retire(held, until, host.hurry)
