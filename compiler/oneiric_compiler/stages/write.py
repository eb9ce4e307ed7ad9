"""Stage 7: outputs to disk, all or nothing as far as a file system allows; or held against what lies there.

Every file is first written whole beside its place; only then are they moved there, reports first and wirings last,
so that a crash leaves the old pair or a state that `check` reports.
"""

from __future__ import annotations

import errno
import json
import marshal
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path

from oneiric.trust.signature import NAME as SIGNATURE

from oneiric_compiler.diagnostics.found import Diagnostics, Source, Span
from oneiric_compiler.model import FORMAT
from oneiric_compiler.pipeline import Outputs, compile_project
from oneiric_compiler.stages.emit import emit
from oneiric_compiler.stages.read import RECORDED, Project, read
from oneiric_compiler.stages.report import render_report
from oneiric_compiler.stages.sign import signed

_ORDER = ("__init__.py", "explain.json", "tenants.jsonl", SIGNATURE, "wiring.py")
_OPTIONAL = ("tenants.jsonl", SIGNATURE)
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What a report that somebody edited may lead to."""


def write(outputs: Outputs, diagnostics: Diagnostics, seed: bytes | None = None) -> bool:
    """Writes what is not there yet, and bytecode for this interpreter; False when that failed, and nothing changed.

    `seed` is the private key that signs the wirings; signatures of what they were before are removed.
    """
    outputs = signed(outputs, seed)
    wanted = {
        Path(folder, name): data
        for folder, files in outputs.profiles.values()
        for name, data in {"__init__.py": b"", **files}.items()
    }
    for folder, files in outputs.profiles.values():
        cached = cache_from_source(outputs.root / folder / "wiring.py")
        wanted[Path(cached)] = _bytecode(files["wiring.py"], f"{folder}/wiring.py")
    staged: dict[Path, str] = {}
    place = Path()
    try:
        for place, data in wanted.items():
            path = outputs.root / place
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not _holds(path, data):
                staged[place] = stage(path, data)
        for place in sorted(staged, key=_position):
            os.replace(staged[place], outputs.root / place)
            del staged[place]
        for place in [Path(folder, name) for folder, _ in outputs.profiles.values() for name in _OPTIONAL]:
            if place not in wanted:
                (outputs.root / place).unlink(missing_ok=True)
    except OSError as error:
        message = f"{place.as_posix()} cannot be written: {error.strerror or error}"
        help = "let the user who compiles write there, or name another folder as `output` in settings/app.yml"
        diagnostics.add("ONE501", message, Span(Source(place.as_posix(), "")), help=help)
        return False
    finally:
        for temporary in staged.values():
            Path(temporary).unlink(missing_ok=True)
    return True


def check(project: Project, diagnostics: Diagnostics, *, profile: str | None = None) -> bool | None:
    """Whether the committed outputs are what the inputs say; None when the inputs have errors.

    What is not fresh is told as ONE502 (stale) or ONE503 (edited by hand). The environment is the recorded one.
    """
    outputs = compile_project(_recorded(project), diagnostics, profile=profile)
    if outputs is None:
        return None
    outputs = signed(outputs)
    fresh = profile is not None or not _leftovers(outputs, diagnostics)
    for folder, files in outputs.profiles.values():
        found = {name: _read(outputs.root / folder / name) for name in _ORDER[1:]}
        if found == {name: files.get(name) for name in _ORDER[1:]}:
            continue
        fresh = False
        edited = found["explain.json"] is not None and found["wiring.py"] is not None and not _agree(found)
        for name, data in found.items():
            if data != files.get(name):
                _tell(f"{folder}/{name}", data is None, edited, diagnostics)
    return fresh


def _leftovers(outputs: Outputs, diagnostics: Diagnostics) -> bool:
    """Reports wirings of profiles that are no more: nothing updates them, and they still load."""
    base, written = outputs.profiles["default"][0], {folder for folder, _ in outputs.profiles.values()}
    found = sorted(path.parent.name for path in (outputs.root / base).glob("*/wiring.py"))
    left = [f"{base}/{name}" for name in found if f"{base}/{name}" not in written]
    for folder in left:
        help = "delete the folder, or list its profile in settings/app.yml"
        diagnostics.add("ONE502", f"{folder} is of no profile", Span(Source(f"{folder}/wiring.py", "")), help=help)
    return bool(left)


def _tell(path: str, missing: bool, edited: bool, diagnostics: Diagnostics) -> None:
    span, help = Span(Source(path, "")), "run `oneiric compile` and commit what it writes"
    if missing:
        diagnostics.add("ONE502", f"{path} is missing", span, help=help)
    elif path.endswith(SIGNATURE):
        help = "sign it with `oneiric compile --sign KEY`; `oneiric compile` removes the signature"
        diagnostics.add("ONE502", f"{path} is not a signature of what a compile writes", span, help=help)
    elif edited:
        message = f"{path} disagrees with what lies beside it: edited by hand, or half written"
        diagnostics.add("ONE503", message, span, help=help)
    else:
        diagnostics.add("ONE502", f"{path} is stale: the inputs say otherwise", span, help=help)


def _agree(found: Mapping[str, bytes | None]) -> bool:
    """Whether the report on disk is whole and its wiring is the one beside it."""
    try:
        report = json.loads(found["explain.json"] or b"")
        if report["format"] != FORMAT or render_report(report).encode() != found["explain.json"]:
            return False
        files = {name: text.encode() for name, text in emit(report).items()}
    except _UNREADABLE:
        return False
    return all(files.get(name) == found[name] for name in ("tenants.jsonl", "wiring.py"))


def _recorded(project: Project) -> Project:
    """The project with what the committed report recorded of the environment in place of what that says now."""
    settings = read(project, Diagnostics())
    output = settings.app.output if settings else "generated"
    environ = {name: text for name, text in project.environ.items() if name not in RECORDED}
    try:
        report = json.loads(_read(project.root / output / "explain.json") or b"{}")
        environ.update({str(name): str(text) for name, text in report["inputs"]["environment"].items()})
    except _UNREADABLE:
        return project
    return replace(project, environ=environ)


def _position(place: Path) -> int:
    """When a file is moved to its place: bytecode first, since until its source is there its hash does not match."""
    return _ORDER.index(place.name) if place.name in _ORDER else -1


def _holds(path: Path, data: bytes) -> bool:
    return (path.name == "__init__.py" and path.exists()) or _read(path) == data


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def stage(path: Path, data: bytes) -> str:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    return temporary


def _bytecode(source: bytes, shown: str) -> bytes:
    """The content of a checked-hash .pyc (PEP 552). `py_compile` would leave half of one on a full disk."""
    code = compile(source, shown, "exec", dont_inherit=True)
    return MAGIC_NUMBER + (0b11).to_bytes(4, "little") + source_hash(source) + marshal.dumps(code)
