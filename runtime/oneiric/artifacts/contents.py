"""What an artifact may be: one pure-Python module, or a wheel of nothing but such modules and their data.

An artifact is bytes until `inspect` has found nothing in it that could reach outside a folder of its own, run by
itself, or stand in the place of a module that is not its own.
"""

from __future__ import annotations

import re
import sys
import unicodedata
import zipfile
from io import BytesIO
from keyword import iskeyword
from typing import NamedTuple

from oneiric.errors import LoadError

UNPACKED = 128 * 1024 * 1024
"""The most bytes that an artifact may unpack to, in all."""
MAX_FILES = 10_000
MAX_NAME = 400
"""The most bytes of a path inside a wheel."""
RESERVED = frozenset(sys.stdlib_module_names) | {
    "__main__",
    "oneiric",
    "oneiric_compiler",
    "sitecustomize",
    "usercustomize",
}
"""Modules that no artifact brings."""

_WHEEL = re.compile(r"([A-Za-z0-9_.]+)-([A-Za-z0-9_.+!]+)(-\d[A-Za-z0-9_.]*)?-([a-z0-9_.]+)-none-any\.whl")
_NATIVE = re.compile(r"\.(so|pyd|dll|dylib)(\.|$)")
_RUNS_BY_ITSELF = (".pth", ".pyc", ".pyo")
_RECORD = b"PK\1\2"
"""What each file's record in the directory of a zip begins with."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_LINK = 0o120000
_KIND = 0o170000


class ArtifactError(LoadError):
    """An artifact is not one that may be used, or is not the one that was pinned."""

    def __init__(self, what: str) -> None:
        super().__init__("artifact", what)


class Contents(NamedTuple):
    """An artifact that passed: `files` by their relative paths, in POSIX form; `modules`, the top-level names that it
    makes importable; and of a wheel the `distribution` (normalised as PEP 503 says) and its version."""

    files: dict[str, bytes]
    modules: frozenset[str]
    distribution: str | None = None
    version: str | None = None


def inspect(name: str, data: bytes, limit: int = UNPACKED) -> Contents:
    """What is in an artifact of that file name (`acme-1.0-py3-none-any.whl`, `acme.py`).

    `limit` is the most bytes it may unpack to; nothing is unpacked before its declared size is known to be within.
    Raises `ArtifactError`.
    """
    if name.endswith(".py"):
        return _module(name, data, limit)
    match = _WHEEL.fullmatch(name)
    if match is None:
        raise ArtifactError(f"{name!r} is neither NAME.py nor a wheel for any platform (…-none-any.whl)")
    if data.count(_RECORD) > MAX_FILES:  # before zipfile keeps something of each
        raise ArtifactError(f"{name} has more than {MAX_FILES} files")
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            files = _unpacked(name, archive, limit)
    except ArtifactError:
        raise
    except Exception as error:  # whatever zipfile, zlib and struct make of bytes that are not a wheel
        raise ArtifactError(f"{name} is not a readable wheel: {type(error).__name__}: {error}") from error
    return _wheel(name, normalised(match[1]), match[2], files)


def normalised(distribution: str) -> str:
    """A distribution's name as it is compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _module(name: str, data: bytes, limit: int) -> Contents:
    stem = name.removesuffix(".py")
    if not (stem.isascii() and stem.isidentifier()) or iskeyword(stem):
        raise ArtifactError(f"{name!r} is not named as a module can be")
    if len(data) > limit:
        raise ArtifactError(f"{name} is larger than {limit} bytes")
    return Contents({name: data}, _allowed(name, {stem}))


def _unpacked(name: str, archive: zipfile.ZipFile, limit: int) -> dict[str, bytes]:
    members = archive.infolist()
    if sum(member.file_size for member in members) > limit:
        raise ArtifactError(f"{name} unpacks to more than {limit} bytes")
    for member in members:
        _check_member(name, member)
    files = [member for member in members if not member.is_dir()]
    _check_distinct(name, [member.filename for member in files])
    return {member.filename: archive.read(member) for member in files}


def _check_member(name: str, member: zipfile.ZipInfo) -> None:
    path = member.orig_filename
    parts = path.removesuffix("/").split("/")
    if (
        path != member.filename
        or not path.isprintable()
        or len(path.encode()) > MAX_NAME
        or any(char in path for char in '\\:*?"<>|')
        or any(part in ("", ".", "..") or part != part.strip() for part in parts)
    ):
        raise ArtifactError(f"{name} has a file with the path {path!r}, which may not be unpacked")
    mode = member.external_attr >> 16
    if mode & _KIND not in (0, 0o100000, 0o040000):
        what = "a link" if mode & _KIND == _LINK else "no plain file"
        raise ArtifactError(f"{name}: {path!r} is {what}")
    if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
        raise ArtifactError(f"{name}: {path!r} is encrypted, or packed in a way that wheels are not")
    lower = parts[-1].lower()
    if _NATIVE.search(lower):
        raise ArtifactError(f"{name}: {path!r} is native code")
    if lower.endswith(_RUNS_BY_ITSELF):
        raise ArtifactError(f"{name}: {path!r} would run without being imported, or is bytecode")
    if parts[0].lower().endswith(".data"):
        raise ArtifactError(f"{name}: {path!r} would be installed outside the folder of the modules")


def _check_distinct(name: str, paths: list[str]) -> None:
    """No path twice, none that a file system could take for another, no file where another needs a folder."""
    files: set[str] = set()
    seen: dict[str, str] = {}
    for path in paths:
        parts = path.split("/")
        folders = ("/".join(parts[:end]) + "/" for end in range(1, len(parts)))
        alike = [seen.setdefault(_folded(place), place) != place for place in (*folders, path)]
        if any(alike) or path in files:
            raise ArtifactError(f"{name} has two files for the path {path!r}")
        files.add(path)


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path.rstrip("/")).casefold()


def _wheel(name: str, distribution: str, version: str, files: dict[str, bytes]) -> Contents:
    infos = {path.partition("/")[0] for path in files if path.partition("/")[0].endswith(".dist-info")}
    if len(infos) != 1:
        raise ArtifactError(f"{name} has {len(infos)} folders *.dist-info; a wheel has one")
    info = infos.pop()
    facts = _headers(name, f"{info}/WHEEL", files)
    if not facts.get("wheel-version", [""])[0].startswith("1."):
        raise ArtifactError(f"{name} is not of wheel version 1")
    if facts.get("root-is-purelib", [""])[0].lower() != "true":
        raise ArtifactError(f"{name} is not a pure-Python wheel: it does not say Root-Is-Purelib: true")
    tags = facts.get("tag", [])
    if "py3-none-any" not in tags or not all(tag.endswith("-none-any") for tag in tags):
        raise ArtifactError(f"{name} is not for every Python 3 and platform: its tags are {', '.join(tags) or 'none'}")
    told = _headers(name, f"{info}/METADATA", files)
    found = normalised(told.get("name", [""])[0]), told.get("version", [""])[0].replace("-", "_")
    if found != (distribution, version):
        raise ArtifactError(f"{name} says inside that it is {found[0]} {found[1]}")
    modules = {path.partition("/")[0].removesuffix(".py").removesuffix(".pyi") for path in files if _importable(path)}
    return Contents(files, _allowed(name, modules), distribution, version)


def _importable(path: str) -> bool:
    first, _, rest = path.partition("/")
    return first.isidentifier() if rest else first.endswith((".py", ".pyi"))


def _headers(name: str, path: str, files: dict[str, bytes]) -> dict[str, list[str]]:
    """The headers of a metadata file by their names in lower case; the text after them is not looked at."""
    if path not in files:
        raise ArtifactError(f"{name} has no {path}")
    found: dict[str, list[str]] = {}
    for line in files[path].decode("utf-8", "replace").splitlines():
        if not line.strip():
            break
        header, _, value = line.partition(":")
        found.setdefault(header.strip().lower(), []).append(value.strip())
    return found


def _allowed(name: str, modules: set[str]) -> frozenset[str]:
    if not modules:
        raise ArtifactError(f"{name} brings no module")
    if reserved := sorted(modules & RESERVED):
        raise ArtifactError(f"{name} brings {reserved[0]}, which is a module of Python or of Oneiric")
    return frozenset(modules)
