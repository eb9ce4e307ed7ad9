"""The artifacts that a wiring names: found by their digest, checked, unpacked, put on the path.

A wiring names one as `SHA256 NAME`. A module of it runs only from the bytes that were checked.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from hashlib import sha256
from importlib.machinery import FileFinder, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from oneiric.artifacts.contents import ArtifactError, Contents, inspect
from oneiric.artifacts.store import unpacked
from oneiric.errors import LoadError
from oneiric.lines import Lines
from oneiric.wiring import Wiring, domains_of

_NAMED = re.compile(r"([0-9a-f]{64}) ([^\s/]+\.(?:py|whl))")
_IN_A_LINE = re.compile(rb'"artifact": "([0-9a-f]{64} [A-Za-z0-9_.+!-]+)"')


class Ready(NamedTuple):
    """A checked artifact: how the wiring names it, the folder it is unpacked in, what is in it."""

    named: str
    folder: Path
    contents: Contents


_entered: dict[str, Ready] = {}
_checked: dict[str, bytes] = {}  # path of a module's file -> SHA-256 of what may run
_lock = Lock()


def named_by(wiring: type[Wiring], lines: Lines | None) -> set[str]:
    """The artifacts of a wiring and of its tenants."""
    bindings = (binding for _, _, bindings in domains_of(wiring) for binding in bindings.values())
    tenants = () if lines is None else (match.decode() for match in lines.matches(_IN_A_LINE))
    return {*(binding.artifact for binding in bindings if binding.artifact is not None), *tenants}


def prepare(named: Iterable[str], places: Iterable[str | None]) -> tuple[Ready, ...]:
    """Check and unpack the artifacts that are not on the path yet; `places` are folders of pinned files. Blocks.

    Raises `LoadError`: `artifact` for one that is not there, not what was pinned, or not to be used;
    `restart-needed` for another version of one that is on the path.
    """
    pinned = [Path(place) for place in places if place is not None]
    ready: list[Ready] = []
    for name in sorted(set(named) - set(_entered)):
        contents = _pinned(name, pinned)
        _check_others(name, contents, ready)
        ready.append(Ready(name, unpacked(name.partition(" ")[0], contents), contents))
    return tuple(ready)


def enter(ready: Iterable[Ready]) -> None:
    """Put prepared artifacts on the path, for the rest of the process."""
    with _lock:
        for each in ready:
            if each.named not in _entered:
                _entered[each.named] = each
                for path, data in each.contents.files.items():
                    _checked[os.path.join(each.folder, path)] = sha256(data).digest()
                sys.path.append(str(each.folder))
        if _finder not in sys.path_hooks:
            sys.path_hooks.insert(0, _finder)


def require(named: str) -> None:
    """Raises `ArtifactError` for an artifact that is not on the path: a module of its name would be another's."""
    if named not in _entered:
        raise ArtifactError(f"the artifact {_shown(named)} was not loaded with the wiring")


def _pinned(named: str, places: list[Path]) -> Contents:
    match = _NAMED.fullmatch(named)
    if match is None:
        raise ArtifactError(f"{named!r} names no artifact: expected a SHA-256 and a file name")
    digest, name = match.groups()
    file = f"{digest}{Path(name).suffix}"
    for place in places:
        try:
            data = (place / file).read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ArtifactError(f"{place / file} cannot be read: {error.strerror or error}") from error
        if sha256(data).hexdigest() != digest:
            raise ArtifactError(f"{place / file} is not what was pinned: its SHA-256 is another")
        return inspect(name, data)
    where = " or ".join(map(str, places)) or "any folder: the wiring has no file"
    raise ArtifactError(f"the artifact {_shown(named)} is not in {where}")


def _check_others(named: str, contents: Contents, ready: list[Ready]) -> None:
    """Refuse modules that are there already, from wherever."""
    for other in (*_entered.values(), *ready):
        shared = sorted(contents.modules & other.contents.modules)
        same = contents.distribution is not None and contents.distribution == other.contents.distribution
        if not shared and not same:
            continue
        if other in ready:
            what = f"module {shared[0]}" if shared else f"distribution {contents.distribution}"
            raise ArtifactError(f"{_shown(named)} and {_shown(other.named)} both bring the {what}")
        raise LoadError(
            "restart-needed", f"restart needed: {_shown(named)} replaces {_shown(other.named)}, loaded here"
        )
    for module in sorted(contents.modules):
        if module in sys.modules or find_spec(module) is not None:
            found = sys.modules.get(module) or find_spec(module)
            raise ArtifactError(f"{_shown(named)} brings the module {module}, which is there already: {found}")


def _shown(named: str) -> str:
    digest, _, name = named.partition(" ")
    return f"{name} ({digest[:12]})"


class _Checked(SourceFileLoader):
    """Runs exactly the bytes that were compared. Bytecode is neither read nor written: without a file's times the
    import system looks for none."""

    def path_stats(self, path: Any) -> Any:
        raise OSError

    def get_data(self, path: str) -> bytes:
        data = super().get_data(path)
        if _checked.get(path) != sha256(data).digest():
            raise ImportError(f"{path} is not what was checked when the artifact was loaded", path=path)
        return data


def _finder(path: str) -> FileFinder:
    """The path hook of entered artifacts: their source files and nothing else."""
    for each in _entered.values():
        folder = str(each.folder)
        if path == folder or path.startswith(f"{folder}/"):
            return FileFinder(path, (_Checked, [".py"]))
    raise ImportError("not of an artifact", path=path)
