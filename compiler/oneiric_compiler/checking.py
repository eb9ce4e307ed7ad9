"""The committed outputs held against what a compile would write now. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from oneiric.trust.signature import NAME as SIGNATURE

from oneiric_compiler.diagnostics.found import Diagnostics, Source, Span
from oneiric_compiler.model import FORMAT, Outputs, Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.stages import foreign, leftovers
from oneiric_compiler.stages.choosing import NAME as CHOOSE
from oneiric_compiler.stages.emit import emit
from oneiric_compiler.stages.read import RECORDED, read
from oneiric_compiler.stages.report import render_report
from oneiric_compiler.stages.sign import signed
from oneiric_compiler.stages.write import FILES, read_bytes

_FILES = tuple(name for name in FILES if name not in ("__init__.py", CHOOSE))
"""What a profile's folder has of its own; `__init__.py` may hold anything."""
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What a report that somebody edited may lead to."""


def check(project: Project, diagnostics: Diagnostics, *, profile: str | None = None) -> bool | None:
    """Whether the committed outputs are what the inputs say; None when the inputs have errors.

    What is not fresh is reported as ONE502 (stale) or ONE503 (edited by hand). The environment is the recorded one.
    """
    outputs = compile_project(_recorded(project), diagnostics, profile=profile)
    if outputs is None:
        return None
    outputs = signed(outputs)
    fresh = not foreign.tell(outputs, diagnostics)
    if profile is None and leftovers.tell_profiles(outputs, diagnostics):
        fresh = False
    if profile is None:
        leftovers.tell_elsewhere(outputs, diagnostics)
    for folder, files in outputs.profiles.values():
        found = {name: read_bytes(outputs.root / folder / name) for name in _FILES}
        if found == {name: files.get(name) for name in _FILES}:
            continue
        fresh = False
        edited = found["explain.json"] is not None and found["wiring.py"] is not None and not _agree(found)
        for name, data in found.items():
            if data != files.get(name):
                _tell(f"{folder}/{name}", _changed(data, files.get(name)), edited, diagnostics)
    return _check_chooser(outputs, diagnostics, edited=fresh) and fresh


def _check_chooser(outputs: Outputs, diagnostics: Diagnostics, *, edited: bool) -> bool:
    """Hold `choose.py` against what the profiles come to; where all of them are fresh, it was edited by hand."""
    folder, files = next(iter(outputs.profiles.values()))
    path = outputs.root / folder / CHOOSE
    if CHOOSE not in files or not foreign.is_ours(path) or (data := read_bytes(path)) == files[CHOOSE]:
        return True
    _tell(f"{folder}/{CHOOSE}", _changed(data, files[CHOOSE]), edited, diagnostics)
    return False


def _changed(found: bytes | None, wanted: bytes | None) -> str:
    """What happened to a file, where that is plain to see."""
    if found is None:
        return "missing"
    if found.startswith(b"<<<<<<< ") or b"\n<<<<<<< " in found:
        return "merged"
    return "line ends" if wanted is not None and found.replace(b"\r\n", b"\n") == wanted else ""


def _tell(path: str, changed: str, edited: bool, diagnostics: Diagnostics) -> None:
    span, help = Span(Source(path, "")), "run `oneiric compile` and commit what it writes"
    if changed == "missing":
        diagnostics.add("ONE502", f"{path} is missing", span, help=help)
    elif changed == "merged":
        help = "outputs are not resolved by hand: `oneiric compile` writes them again"
        diagnostics.add("ONE503", f"{path} holds a merge conflict", span, help=help)
    elif changed == "line ends":
        help = (
            f"`/{path.partition('/')[0]}/** -text` in .gitattributes makes git keep the bytes; then `oneiric compile`"
        )
        diagnostics.add("ONE503", f"{path} has Windows line endings (CRLF)", span, help=help)
    elif path.endswith(SIGNATURE):
        help = "sign it with `oneiric compile --sign KEY`; `oneiric compile` removes signatures that do not hold"
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
    """The project in the environment of its committed report."""
    settings = read(project, Diagnostics())
    output = settings.app.output if settings else "generated"
    return as_recorded(project, read_bytes(project.root / output / "explain.json"))


def as_recorded(project: Project, report: bytes | None) -> Project:
    """The project with what a report recorded of the environment in place of what that says now."""
    environ = {name: text for name, text in project.environ.items() if name not in RECORDED}
    try:
        document = json.loads(report or b"{}")
        environ.update({str(name): str(text) for name, text in document["inputs"]["environment"].items()})
    except _UNREADABLE:
        return project
    return replace(project, environ=environ)
