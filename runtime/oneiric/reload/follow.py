"""Many processes of one application: what the owner of a state folder commits, taken over by those that follow it.

A follower writes nothing of the owner's: it keeps `followers/PID.json`, and has the lock beside that while it lives.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from oneiric.documents import write
from oneiric.errors import StateError, refused
from oneiric.host import Host
from oneiric.lifecycle.steps import in_thread
from oneiric.reload.followers import FOLDER, FORMAT, Following, followers, remove
from oneiric.reload.history import Generation, History
from oneiric.reload.lock import Lock
from oneiric.reload.outcome import Nack, Overrides
from oneiric.reload.queue import Requests
from oneiric.reload.request import Follow
from oneiric.reload.state import Record, path_of, recorded, stamp_of

LOOK = 0.2
"""Seconds between two looks at what the owner says is current."""
_TAKING = 1.0
"""Seconds for which a lock is tried that somebody may only look at."""
_AGAIN = 0.01


class Follower:
    """Of one runtime and the state folder of another process."""

    def __init__(self, host: Host, folder: str | os.PathLike[str], history: History, requests: Requests) -> None:
        self.folder = Path(folder).absolute()
        self._host = host
        self._history = history
        self._requests = requests
        self._own: Path | None = None
        self._lock: Lock | None = None
        self._stamp: str | None = None
        self._apart: str | None = None
        self._unwritten = ""
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Before anything is active: begin on the owner's generation where that was built from what this process has.

        Raises `StateError` for a folder that is another user's, or that this process follows already; `OSError`.
        """
        (await in_thread(self._take)).get()
        said = await self._look()
        if isinstance(said, Record) and said.deployed == self._host.generation:
            try:
                await self._history.be(self._generation(said))
            except Nack as error:
                said = self._saying(said, str(error))
            else:
                said = self._saying(said)
        elif isinstance(said, Record):
            self._apart = said.deployed
            said = self._saying(said, self._why_apart())
        await self._tell(said)

    async def started(self) -> None:
        """After everything eager has started: take what the owner commits from now on."""
        self._task = self._host.spawn(self._follow())

    async def stop(self) -> None:
        """Take nothing more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))

    def close(self) -> None:
        """Leave no trace."""
        if self._lock is not None and self._own is not None and self._lock.taken:
            remove(self._own)
            self._lock.let_go()

    def _take(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        check_private(self.folder)
        place = self.folder / FOLDER
        place.mkdir(exist_ok=True, mode=0o700)
        check_private(place)
        followers(self.folder)
        self._own = place / f"{os.getpid()}.json"
        self._lock = _locked(self._own.with_suffix(".lock"), self.folder)

    async def _follow(self) -> None:
        told: Following | None = None
        while True:
            await asyncio.sleep(LOOK)
            said = await self._look()
            told = (await self._go(said) if isinstance(said, Record) else said) or told
            if told is not None and await self._tell(told):
                told = None

    async def _look(self) -> Record | Following | None:
        """What the owner says since the last look, or why that cannot be read; None for nothing new."""
        found: str | None = (await in_thread(stamp_of, self.folder)).get()
        if found == self._stamp:
            return None
        self._stamp = found
        try:
            record: Record | None = (await in_thread(recorded, self.folder)).get()
        except StateError as error:
            return self._saying(None, str(error))
        return record or self._saying(None)

    async def _go(self, record: Record) -> Following:
        """Take over what the owner committed."""
        if record.deployed == self._apart:
            return self._saying(record, self._why_apart())
        self._apart = None
        if record.generation == self._host.generation:
            return self._saying(record)
        outcome = await self._requests.commit(Follow(*self._generation(record)))
        return self._saying(record, None if outcome.accepted else f"{outcome.code}: {outcome.reason}")

    def _generation(self, record: Record) -> Generation:
        digest = record.generation
        overrides = record.overrides.get(digest, Overrides())
        return Generation(digest, path_of(self.folder, digest), overrides, record.origin(digest))

    def _saying(self, record: Record | None, reason: str | None = None) -> Following:
        seen = None if record is None else record.generation
        return Following(os.getpid(), self._host.generation, seen, reason is None, reason, self._stamp)

    def _why_apart(self) -> str:
        return f"the owner deployed another baseline ({str(self._apart)[:12]}): this process keeps its own"

    async def _tell(self, said: Following | None) -> bool:
        """Write it down; a disk that refuses is reported once, and tried again."""
        document = {"format": FORMAT, **(said or self._saying(None))._asdict()}
        assert self._own is not None, "a follower that is not open has nothing to say"
        written = await in_thread(write, self._own, document)
        try:
            written.get()
        except OSError as error:
            if (reason := refused(error)) != self._unwritten:
                self._unwritten = reason
                self._host.report(StateError(f"the owner does not learn how this follower fares: {reason}"))
            return False
        self._unwritten = ""
        return True


def check_private(folder: Path) -> None:
    """Raise `StateError` for a folder that another user has, or can write in."""
    found = folder.stat()
    if found.st_uid != os.geteuid():
        raise StateError(f"{folder} belongs to another user")
    if found.st_mode & 0o022:
        raise StateError(f"{folder} can be written by other users; take that away: chmod 700 {folder}")


def _locked(path: Path, folder: Path) -> Lock:
    """The lock of this process, had. Who looks whether it lives has it for a moment, and may remove the file of a dead
    process of the same id: then once more."""
    lock, until = Lock(path), time.monotonic() + _TAKING
    while True:
        try:
            lock.take()
        except StateError:
            if time.monotonic() > until:
                raise StateError(f"a runtime of this process follows {folder} already") from None
        else:
            if path.exists():
                return lock
            lock.let_go()
        time.sleep(_AGAIN)
