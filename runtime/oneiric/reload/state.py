"""A process's state folder: the generations it may return to, and which one is current.

`current.json` alone says what is current; it is replaced last and at once, after what it names was written whole.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from oneiric.documents import Shape, read, sweep, sync, write
from oneiric.errors import LoadError
from oneiric.lines import generation_at
from oneiric.reload.lock import Lock
from oneiric.reload.outcome import Overrides

FORMAT = "oneiric.state/1"
KEPT = 5
"""How many generations before the current one are kept."""
CHANGES = 100
"""How many changes are remembered."""
_OVERRIDES: Shape = {"overrides": {...: str}, "tenants": {...: {...: str}}}
_CHANGE: Shape = {
    "at": str,
    "by": str,
    "what": str,
    "generation": str,
    "previous": str,
    "source?": str,
    "key?": str,
    "provider?": (str, None),
    "tenant?": str,
    "all_tenants?": bool,
    "with_settings?": bool,
    "note?": str,
    "reason?": str,
    "dropped?": _OVERRIDES,
}
_SHAPE: Shape = {
    "format": FORMAT,
    "baseline": str,
    "generation": str,
    "previous": [str],
    "overrides": {...: _OVERRIDES},
    "built_from?": {...: {"baseline": str, "accepted": bool}},
    "changes?": [_CHANGE],
}
_CURRENT = "current.json"
_BESIDE = ("explain.json", "wiring.sig")
_FILES = (*_BESIDE, "tenants.jsonl", "wiring.py")
_PART = ".part-"


class Origin(NamedTuple):
    """The digest of what a generation was built from, and whether an operator accepted that over the deployed one."""

    baseline: str
    accepted: bool = False


class Record(NamedTuple):
    """What `current.json` says: digests; each generation's overrides, and its origin where that is not what was
    deployed; the changes, the latest last."""

    deployed: str
    generation: str
    previous: tuple[str, ...] = ()
    overrides: Mapping[str, Overrides] = {}
    origins: Mapping[str, Origin] = {}
    changes: tuple[Mapping[str, Any], ...] = ()

    def origin(self, digest: str) -> Origin:
        """What a generation was built from."""
        return self.origins.get(digest, Origin(self.deployed))

    def digests(self) -> set[str]:
        """All that it names."""
        known = {self.deployed, self.generation, *self.previous}
        return known | {self.origin(digest).baseline for digest in known}


class State:
    """The folder of one process, locked from `open` to `close`. Everything here blocks: call it in a thread."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).absolute()
        self.generations = self.folder / "generations"
        self.lock = Lock(self.folder)
        self._open = False

    def open(self) -> Record | None:
        """Take the folder; what was current when the process before ended, None for nothing that can be used.

        Raises `StateError` where another process has it, `OSError`.
        """
        self.generations.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        self.lock.take()
        self._open = True
        for left in self.generations.glob(f"{_PART}*"):
            shutil.rmtree(left, ignore_errors=True)
        sweep(self.folder)
        return recorded(self.folder)

    def close(self) -> None:
        """Let the folder go."""
        if self._open:
            self._open = False
            self.lock.let_go()

    def part(self) -> Path:
        """A new folder for what is being made; gone with the next `open` unless it is removed."""
        return Path(tempfile.mkdtemp(prefix=_PART, dir=self.generations))

    def path(self, digest: str) -> Path:
        """The `wiring.py` of a generation."""
        return self.generations / digest / "wiring.py"

    def has(self, digest: str) -> bool:
        """Whether a generation is there, whole and as it was."""
        return digest.isalnum() and _digest(self.path(digest).parent) == digest

    def adopt(self, wiring: Path, *, deployed: bool) -> str:
        """Copy a `wiring.py` and what belongs to it; the digest. A generation that is there already takes the report
        and the signature of one that is `deployed`, which are no part of the digest.

        Raises `LoadError` where it cannot be read, `OSError` where it cannot be written.
        """
        part = self.part()
        try:
            for name in _FILES:
                _copy(wiring.with_name(name), part / name, needed=name == "wiring.py")
            digest = _digest(part)
            if digest is None:
                raise LoadError("load", f"{wiring} cannot be read")
            if not self.has(digest):
                _copy_bytecode(wiring, part)
                self._move(part, digest)
            elif deployed:
                for name in _BESIDE:
                    if (part / name).exists():
                        os.replace(part / name, self.path(digest).with_name(name))
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return digest

    def _move(self, part: Path, digest: str) -> None:
        place = self.generations / digest
        if place.exists():
            shutil.rmtree(place)
        sync(part)
        os.rename(part, place)
        sync(self.generations)

    def write(self, record: Record, rejected: str | None = None) -> None:
        """Make a record current, and forget the generations it does not name. Raises `OSError`."""
        document = {
            "format": FORMAT,
            "baseline": record.deployed,
            "generation": record.generation,
            "previous": list(record.previous),
            "overrides": {digest: overrides.document() for digest, overrides in record.overrides.items()},
            "built_from": {digest: origin._asdict() for digest, origin in record.origins.items()},
            "changes": list(record.changes[-CHANGES:]),
        }
        write(self.folder / _CURRENT, document, durable=True)
        current = record.overrides.get(record.generation, Overrides())
        write(self.folder / "overrides.json", current.document(), durable=True)
        keep = {*record.digests(), rejected}
        for folder in self.generations.iterdir():
            if folder.name not in keep and not folder.name.startswith(_PART):
                shutil.rmtree(folder, ignore_errors=True)


def recorded(folder: Path) -> Record | None:
    """What the state folder of a process says, running or not; None for one that says nothing. Raises `StateError`."""
    document = read(folder / _CURRENT, _SHAPE, "remove it to start on the wiring that is given, without swaps")
    if document is None:
        return None
    return Record(
        document["baseline"],
        document["generation"],
        tuple(document["previous"]),
        {digest: Overrides.of(each) for digest, each in document["overrides"].items()},
        {digest: Origin(each["baseline"], each["accepted"]) for digest, each in document.get("built_from", {}).items()},
        tuple(document.get("changes", ())),
    )


def _digest(folder: Path) -> str | None:
    try:
        return generation_at(str(folder / "wiring.py"))
    except OSError:
        return None


def _copy(source: Path, target: Path, *, needed: bool) -> None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError as error:
        if needed:
            raise LoadError("load", f"{source} cannot be read: {error.strerror}") from error
        return
    with open(target, "rb") as file:
        os.fsync(file.fileno())


def _copy_bytecode(wiring: Path, part: Path) -> None:
    """Bytecode is checked against its source when it is loaded; without it the wiring is compiled once more."""
    for cached in wiring.parent.glob("__pycache__/wiring.*.pyc"):
        (part / "__pycache__").mkdir(exist_ok=True)
        shutil.copyfile(cached, part / "__pycache__" / cached.name)
