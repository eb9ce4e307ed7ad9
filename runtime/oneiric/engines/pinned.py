"""Generations that runs are pinned to: a second set of their bindings, as long as steps are called by them.

Bindings and settings are pinned, not source code: components are imported once in a process.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from oneiric.declared import flow_of
from oneiric.errors import OneiricError
from oneiric.files import fill
from oneiric.flows.model import Unserved
from oneiric.host import Host
from oneiric.lifecycle.steps import in_thread
from oneiric.loading import load
from oneiric.reload.changes import Reloads
from oneiric.session import beside
from oneiric.wiring import Wiring, domains_of, file_of

KEPT = 10
"""How many generations with pinned workflows a state folder keeps, the newest."""
_FILES = ("tenants.jsonl", "wiring.sig", "wiring.py")


class _Open:
    """One generation whose bindings are there. `users` counts the steps that are called by them."""

    def __init__(self, host: Host, stack: AsyncExitStack) -> None:
        self.host = host
        self.stack = stack
        self.users = 0
        self.timer: asyncio.TimerHandle | None = None


class Pinned:
    """Of one application. Without a state folder it knows the generations that were current in this process."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._known: dict[str, type[Wiring]] = {}
        self._open: dict[str, _Open] = {}
        self._turn = asyncio.Lock()

    async def keep(self) -> None:
        """Remember the current generation, where it has workflows that pin theirs."""
        wiring = self._host.wiring_class
        if not pins(wiring):
            return
        self._known[self._host.generation] = wiring
        folder, source = self._folder(), file_of(wiring)
        if folder is not None and source is not None:
            try:
                (await in_thread(_copy, Path(source), folder, self._host.generation)).get()
            except OSError as error:
                self._host.report(OneiricError(f"the generation cannot be kept for pinned runs: {error.strerror}"))

    def _folder(self) -> Path | None:
        changes = self._host.changes
        state = changes.history.state if isinstance(changes, Reloads) else None
        return None if state is None else state.folder / "pinned"

    @asynccontextmanager
    async def bindings(self, generation: str | None) -> AsyncGenerator[Host]:
        """The bindings of a generation; of None, and while it is current, the application's own. Raises `Unserved`."""
        if generation is None or generation == self._host.generation:
            yield self._host
            return
        opened = await self._opened(generation)
        try:
            yield opened.host
        finally:
            opened.users -= 1
            if not opened.users and self._open.get(generation) is opened:
                loop = asyncio.get_running_loop()
                opened.timer = loop.call_later(self._host.tenant_idle, self._idle, generation)

    async def _opened(self, generation: str) -> _Open:
        async with self._turn:
            opened = self._open.get(generation)
            if opened is None:
                wiring = await self._wiring(generation)
                stack = AsyncExitStack()
                host = await stack.enter_async_context(beside(self._host, wiring))
                host.work, host.paused, host.resuming = self._host.work, self._host.paused, self._host.resuming
                opened = self._open[generation] = _Open(host, stack)
            if opened.timer is not None:
                opened.timer.cancel()
                opened.timer = None
            opened.users += 1
            return opened

    async def _wiring(self, generation: str) -> type[Wiring]:
        known = self._known.get(generation)
        if known is not None:
            return known
        folder = self._folder()
        place = None if folder is None or not generation.isalnum() else folder / generation / "wiring.py"
        if place is None or not place.exists():
            raise Unserved(f"the run is pinned to generation {generation[:12]}, which is not kept here")
        try:
            made: Any = (await in_thread(_loaded, place, self._host.wiring_class.__trust__)).get()
        except OneiricError as error:
            raise Unserved(f"generation {generation[:12]} cannot be loaded: {error}") from error
        self._known[generation] = made
        return self._known[generation]

    def _idle(self, generation: str) -> None:
        opened = self._open.get(generation)
        if opened is not None and not opened.users:
            del self._open[generation]
            self._host.spawn(opened.stack.aclose())

    async def close(self) -> None:
        """Close all of them."""
        while self._open:
            _, opened = self._open.popitem()
            if opened.timer is not None:
                opened.timer.cancel()
            await opened.stack.aclose()


def pins(wiring: type[Wiring]) -> bool:
    """Whether a wiring has workflows whose runs are pinned."""
    for _, _, bindings in domains_of(wiring):
        for binding in bindings.values():
            block = flow_of(binding)
            if block is not None and block.flow.get("steps") == "pinned":
                return True
    return False


def _loaded(place: Path, trust: Any) -> type[Wiring]:
    return load(place, trust=trust)


def _copy(source: Path, folder: Path, generation: str) -> None:
    """Keep a generation's files, `wiring.py` last: without it the rest counts for nothing. Drop the oldest."""
    place = folder / generation
    if not (place / "wiring.py").exists():
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in _FILES:
            beside = source.with_name(name)
            if beside.exists():
                fill(place / name, beside.read_bytes())
    kept = sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime_ns, reverse=True)
    for old in kept[KEPT:]:
        if old.name != generation:
            shutil.rmtree(old, ignore_errors=True)
