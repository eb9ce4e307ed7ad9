"""A process's state folder: the generations it may return to, and which one is current.

`current.json` alone says what is current; it is replaced last and at once, after what it names was written whole.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from oneiric.documents import Shape, read, write
from oneiric.errors import LoadError
from oneiric.files import fill, sweep, sync
from oneiric.lines import generation_at, generation_of
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
    "serial?": int,
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
    "floor?": {"app": str, "profile": str, "serial": int, "generation": str},
}
_CURRENT = "current.json"
_BESIDE = ("explain.json", "wiring.sig")
_SIGNED = ("tenants.jsonl", "wiring.py")
_PART = ".part-"
Admit: TypeAlias = Callable[[str, str], bytes]
"""Takes the path of a wiring and its digest."""


class Origin(NamedTuple):
    """The digest of what a generation was built from, and whether an operator accepted that over the deployed one."""

    baseline: str
    accepted: bool = False


class Floor(NamedTuple):
    """The signed wiring of the highest serial that has become current in a folder: what is below is a replay."""

    app: str
    profile: str
    serial: int
    generation: str

    def barring(self, other: Floor) -> str | None:
        """Why another signed wiring is refused, None where it is not."""
        if (other.app, other.profile) != (self.app, self.profile):
            whose, own = (f"{each.app}, profile {each.profile}" for each in (other, self))
            return f"the wiring is of {whose}; this state folder is of {own}: give each a state folder of its own"
        again = f"sign it again, with a higher serial: `oneiric compile --sign KEY --serial {self.serial + 1}`"
        if other.serial < self.serial:
            return f"the wiring has serial {other.serial}; this state folder accepted {self.serial} already; {again}"
        if other.serial == self.serial and other.generation != self.generation:
            return (
                f"the wiring has serial {other.serial}, as another generation has that this state folder accepted "
                f"({self.serial}: {self.generation[:12]}); {again}"
            )
        return None


class Record(NamedTuple):
    """What `current.json` says: digests; each generation's overrides, and its origin where that is not what was
    deployed; the changes, the latest last; under trust, the floor."""

    deployed: str
    generation: str
    previous: tuple[str, ...] = ()
    overrides: Mapping[str, Overrides] = {}
    origins: Mapping[str, Origin] = {}
    changes: tuple[Mapping[str, Any], ...] = ()
    floor: Floor | None = None

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
        self.lock = Lock(self.folder / "lock")
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
        return path_of(self.folder, digest)

    def has(self, digest: str) -> bool:
        """Whether a generation is there, whole and as it was."""
        return digest.isalnum() and _digest(self.path(digest).parent) == digest

    def adopt(self, wiring: Path, *, deployed: bool, admit: Admit | None = None) -> str:
        """Copy a `wiring.py` and what belongs to it; the digest. A generation that is there already takes the report
        and the signature of one that is `deployed`, which are no part of the digest.

        With `admit`, which gives the bytes of its signature once they are verified, these and what was signed are all
        that is copied. Raises `LoadError` where it cannot be read, and what `admit` does; `OSError` where it cannot be
        written.
        """
        files = {name: data for name in _SIGNED if (data := _read(wiring.with_name(name))) is not None}
        if "wiring.py" not in files:
            raise LoadError("load", f"{wiring} cannot be read: {os.strerror(errno.ENOENT)}")
        digest = generation_of(files["wiring.py"], files.get("tenants.jsonl", b""))
        if admit is not None:
            files["wiring.sig"] = admit(str(wiring), digest)
        else:
            files |= {name: data for name in _BESIDE if (data := _read(wiring.with_name(name))) is not None}
        part = self.part()
        try:
            for name, data in files.items():
                fill(part / name, data)
            if not self.has(digest):
                if admit is None:
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
            **({} if record.floor is None else {"floor": record.floor._asdict()}),
        }
        write(self.folder / _CURRENT, document, durable=True)
        current = record.overrides.get(record.generation, Overrides())
        write(self.folder / "overrides.json", current.document(), durable=True)
        self.forget(record, rejected)

    def forget(self, record: Record, rejected: str | None = None) -> None:
        """Remove the generations that a record does not name."""
        keep = {*record.digests(), rejected}
        for folder in self.generations.iterdir():
            if folder.name not in keep and not folder.name.startswith(_PART):
                shutil.rmtree(folder, ignore_errors=True)


def path_of(folder: Path, digest: str) -> Path:
    """The `wiring.py` of a generation in a state folder."""
    return folder / "generations" / digest / "wiring.py"


def stamp_of(folder: Path) -> str | None:
    """A value that is cheap to get, and changes with what `recorded` says; None where there is nothing."""
    try:
        found = (folder / _CURRENT).stat()
    except OSError:
        return None
    return f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}"


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
        Floor(*map(floor.get, Floor._fields)) if (floor := document.get("floor")) else None,
    )


def _digest(folder: Path) -> str | None:
    try:
        return generation_at(str(folder / "wiring.py"))
    except OSError:
        return None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _copy_bytecode(wiring: Path, part: Path) -> None:
    """Bytecode is checked against its source when it is loaded; without it the wiring is compiled once more."""
    for cached in wiring.parent.glob("__pycache__/wiring.*.pyc"):
        (part / "__pycache__").mkdir(exist_ok=True)
        shutil.copyfile(cached, part / "__pycache__" / cached.name)
