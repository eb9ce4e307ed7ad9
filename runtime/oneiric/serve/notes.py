"""Pausing and draining keys: an operator's notes, kept across restarts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from oneiric.errors import OneiricError
from oneiric.lifecycle.activation import activate_all, eager
from oneiric.lifecycle.closing import retire
from oneiric.runtime import Runtime
from oneiric.serve.folder import StateFolder, read_json, write_json
from oneiric.slot import Held

FORMAT = "oneiric.notes/1"
Kind: TypeAlias = Literal["pause", "drain"]
Note: TypeAlias = dict[str, str]


class Notes:
    """For each key what is noted to `pause` and to `drain` it. A key with any note takes no new activations."""

    def __init__(self, folder: StateFolder, runtime: Runtime[Any]) -> None:
        """Reads what was noted before. Raises `FolderError`."""
        self._path = folder.notes
        self._runtime = runtime
        self.draining: set[asyncio.Task[list[Exception]]] = set()
        document = read_json(self._path, FORMAT) or {"keys": {}}
        self.keys: dict[str, dict[Kind, Note]] = document["keys"]
        for key in self.keys:
            self._apply(key)

    def put(self, kind: Kind, key: str, note: str) -> None:
        """Note it, first on disk. Raises `UnknownKey`, `OSError`."""
        self._runtime.base.slot(key)
        written = {"note": note, "since": datetime.now(UTC).isoformat(timespec="seconds")}
        self._save({**self.keys, key: {**self.keys.get(key, {}), kind: written}})
        self._apply(key)

    def remove(self, kind: Kind, key: str) -> bool:
        """Take that note away, first on disk; whether there was one. The other kind's stays. Raises `OSError`."""
        left: dict[Kind, Note] = {each: note for each, note in self.keys.get(key, {}).items() if each != kind}
        had = kind in self.keys.get(key, {})
        kept = {each: notes for each, notes in self.keys.items() if each != key}
        if left:
            kept[key] = left
        self._save(kept)
        self._apply(key)
        return had

    async def drain(self, key: str) -> list[Exception]:
        """Close what is active of a key, in the base and for tenants, each when its last lease ends, or when the
        drain deadline has passed. The errors on the way."""
        runtime = self._runtime
        helds = [held for slot, held in runtime.active.items() if slot.key == key and held.owned]
        closing = [runtime.spawn(_close(runtime, held)) for held in helds]
        self.draining.update(closing)
        for task in closing:
            task.add_done_callback(self.draining.discard)
        return [error for errors in await asyncio.gather(*map(asyncio.shield, closing)) for error in errors]

    async def resume(self) -> OneiricError | None:
        """Activate what is eager and had to wait; what was wrong with that. The rest waits for its next use."""
        try:
            await activate_all(eager(self._runtime.base.slots().values()))
        except OneiricError as error:
            return error
        return None

    def _save(self, keys: dict[str, dict[Kind, Note]]) -> None:
        write_json(self._path, {"format": FORMAT, "keys": dict(sorted(keys.items()))})
        self.keys = keys

    def _apply(self, key: str) -> None:
        notes = self.keys.get(key)
        if notes:
            self._runtime.paused[key] = "; ".join(f"{kind}: {note['note']}" for kind, note in sorted(notes.items()))
        else:
            self._runtime.paused.pop(key, None)


async def _close(runtime: Runtime[Any], held: Held) -> list[Exception]:
    until = asyncio.get_running_loop().time() + runtime.deadlines.drain
    return await retire(held, until, runtime.reloads.hurry)
