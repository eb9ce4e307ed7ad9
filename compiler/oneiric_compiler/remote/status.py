"""What a project's machine remembers of its sources, in `.oneiric/remote/`: never committed, never trusted.

The last look at each source, what went wrong, and what a conditional request needs; one sync at a time holds it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from oneiric.documents import Shape, read, write
from oneiric.errors import StateError
from oneiric.serve.folder import STATES

FORMAT = "oneiric.remote/1"
FOLDER = "remote"
_OPTIONAL: Shape = (str, None)
_FAILURE: Shape = {"rule": str, "reason": str, "since": str}
_LOOK: Mapping[str, Shape] = {
    "looked_at": str,
    "outcome": str,
    "failure": (_FAILURE, None),
    "breaker": str,
    "digest": _OPTIONAL,
    "etag": _OPTIONAL,
    "last_modified": _OPTIONAL,
}
_SHAPE: Shape = {"format": FORMAT, "sources": {...: _LOOK}, "steps": {...: _FAILURE}}
LONGEST_WAIT = 60.0
"""Seconds that a sync waits for another one to end."""
_POLL = 0.1


class Busy(Exception):
    """Another sync runs, and did not end in time."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, by which rule (see the rules of `fetch` and of a manifest's verification), and when first."""

    rule: str
    reason: str
    since: str


@dataclass(frozen=True, slots=True)
class Look:
    """The last look at a source: when, what came of it, and of which bytes the server's tags are."""

    looked_at: str
    outcome: str
    failure: Failure | None = None
    breaker: str = "closed"
    digest: str | None = None
    etag: str | None = None
    last_modified: str | None = None


@dataclass(slots=True)
class Remembered:
    """The looks by source; what failed in a watch, by step: settings, look, pin, compile, reload."""

    sources: dict[str, Look] = field(default_factory=dict[str, Look])
    steps: dict[str, Failure] = field(default_factory=dict[str, Failure])

    def step(self, name: str, reason: str | None) -> None:
        """Record that a step failed, with its reason, or that it went well."""
        if reason is None:
            self.steps.pop(name, None)
        else:
            self.steps[name] = failure(name, reason, self.steps.get(name))


class Memory:
    """The folder with all of this."""

    shown = f"{STATES}/{FOLDER}"

    def __init__(self, root: Path) -> None:
        self._folder = root / STATES / FOLDER
        self._file = self._folder / "sources.json"
        self._watch = self._folder / "watch.lock"

    def read(self) -> Remembered:
        """What is remembered: nothing where nothing can be read, since nothing depends on it."""
        try:
            document = read(self._file, _SHAPE, "remove it")
        except StateError:
            return Remembered()
        if document is None:
            return Remembered()
        sources = {name: _look(each) for name, each in document["sources"].items()}
        return Remembered(sources, {name: _failure(each) for name, each in document["steps"].items()})

    def write(self, remembered: Remembered) -> None:
        """Replace what is remembered, at once. Raises `OSError`."""
        self._make()
        write(self._file, {"format": FORMAT, **asdict(remembered)})

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Wait for any other sync of the project to end, then keep others out. Raises `Busy`, `OSError`."""
        self._make()
        with _open(self._folder / "sync.lock") as descriptor:
            until = asyncio.get_running_loop().time() + LONGEST_WAIT
            while not _locked(descriptor):
                if asyncio.get_running_loop().time() > until:
                    raise Busy(f"another sync of this project has been running for more than {LONGEST_WAIT:g} seconds")
                await asyncio.sleep(_POLL)
            yield

    @contextmanager
    def watching(self) -> Generator[None]:
        """Become the project's only watch. Raises `Busy`, `OSError`."""
        self._make()
        with _open(self._watch) as descriptor:
            if not _locked(descriptor):
                raise Busy("a watch of this project is running already")
            yield

    @property
    def watched(self) -> bool:
        """Whether a watch is running."""
        try:
            with _open(self._watch) as descriptor:
                return not _locked(descriptor)
        except OSError:
            return False

    def _make(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def now() -> str:
    """This moment, as it is remembered and shown."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def failure(rule: str, reason: str, before: Failure | None) -> Failure:
    """A failure that goes on since it began."""
    return Failure(rule, reason, before.since if before and before.rule == rule else now())


@contextmanager
def _open(path: Path) -> Generator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Whether the file could be locked; what locks it, holds it until the descriptor is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _look(facts: Mapping[str, Any]) -> Look:
    told: dict[str, Any] = {name: facts[name] for name in _LOOK}
    told["failure"] = None if told["failure"] is None else _failure(told["failure"])
    return Look(**told)


def _failure(facts: Mapping[str, Any]) -> Failure:
    return Failure(facts["rule"], facts["reason"], facts["since"])
