"""What an editor asks of a project: what is wrong, what a key is, and where it is stated and made."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from oneiric.report import Report, parse_report

from oneiric_compiler.diagnostics.edits import renaming
from oneiric_compiler.diagnostics.found import Diagnostic, Diagnostics, Edit, Source, Span, within
from oneiric_compiler.editor.builtin_schemas import Schema
from oneiric_compiler.editor.project_schemas import schemas_of
from oneiric_compiler.model import Candidate, Decision, Gathered, Key, Project
from oneiric_compiler.pipeline import gather, reports
from oneiric_compiler.questions.explain.key import tell
from oneiric_compiler.settings.documents import Document, Path_, Value, parse_document
from oneiric_compiler.source.modules import Module
from oneiric_compiler.stages.report import render_report
from oneiric_compiler.stages.resolve import resolve
from oneiric_compiler.tables.layers import KEYS
from oneiric_compiler.tables.options import KEY_OPTIONS
from oneiric_compiler.text.paint import paint

_BY_KEY = frozenset(("selections", "requires", "ports", "layers", "aliases", *(option.name for option in KEY_OPTIONS)))
_SETTINGS = "settings/"


class Spot(NamedTuple):
    """A key that a place of a text is about: `written` so there, where it names the key, and the provider it names."""

    key: Key
    span: Span
    written: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A project as its files and an editor's texts have it; of what errors keep from being made, what was before."""

    project: Project
    diagnostics: tuple[Diagnostic, ...]
    inputs: Gathered | None = None
    decisions: Mapping[Key, Decision] = field(default_factory=dict[Key, Decision])
    report: Report | None = None
    schemas: Mapping[str, Schema] = field(default_factory=dict[str, Schema])

    def source(self, shown: str) -> Source | None:
        """The text of a file, as the editor has it."""
        path = self.path(shown)
        if path is None:
            return None
        try:
            unsaved = self.project.unsaved.get(path)
            return Source(shown, path.read_text("utf-8-sig") if unsaved is None else unsaved)
        except (OSError, UnicodeDecodeError):
            return None

    def path(self, shown: str) -> Path | None:
        """The file that places call so."""
        if shown.startswith(_SETTINGS):
            return self.project.settings / shown.removeprefix(_SETTINGS)
        if (own := self.project.root / shown).is_file():
            return own
        for root in self.inputs.sources.roots if self.inputs else ():
            rest = shown.removeprefix(f"{root.shown}/") if root.shown else shown
            if isinstance(root.path, Path) and (found := root.path / rest).is_file():
                return found
        return None

    def shown(self, path: Path) -> str | None:
        """What places call a file; None for one that is not the project's."""
        for folder, prefix in ((self.project.settings, _SETTINGS), (self.project.root, "")):
            if path.is_relative_to(folder):
                return prefix + path.relative_to(folder).as_posix()
        return None


def look(project: Project, before: View | None = None) -> View:
    """Compiles the project, in memory."""
    diagnostics = Diagnostics()
    old = before or View(project, ())
    inputs = gather(project, diagnostics)
    if inputs is None:
        return View(project, tuple(diagnostics), old.inputs, old.decisions, old.report, old.schemas)
    schemas = old.schemas
    if not diagnostics.failed:
        schemas = {name: json.loads(text) for name, text in schemas_of(inputs).items()}
    found = dict(reports(inputs, None, diagnostics))
    report = parse_report(render_report(found["default"]).encode()) if "default" in found else old.report
    decided = resolve(inputs, None, Diagnostics()).decisions.items()
    decisions = {key: each for key, each in decided if isinstance(each, Decision)}
    return View(project, tuple(diagnostics), inputs, decisions, report, schemas)


def hover(view: View, spot: Spot) -> str | None:
    """What `explain` says of the key."""
    if view.report is None or str(spot.key) not in view.report.bindings:
        return None
    return paint(tell(view.report, str(spot.key), str), styled=False)


def definition(view: View, shown: str, spot: Spot) -> Span | None:
    """From settings to the class or function that makes the component, from a source to the settings that decide."""
    decision = view.decisions.get(spot.key)
    if not shown.startswith(_SETTINGS):
        if decision and decision.decided_at.pointer.startswith(_SETTINGS):
            return decision.decided_at.span
        return next(_stated(view, spot.key), None)
    served = view.inputs.catalog.base.get(spot.key, ()) if view.inputs else ()
    named = next((each for each in served if each.provider == spot.provider), None)
    candidate = named or (decision.winner if decision else None)
    return candidate.signature.place.span if candidate and candidate.signature.place else None


def _stated(view: View, key: Key) -> Iterator[Span]:
    """Where settings name a key."""
    for shown in _files(view):
        source = view.source(shown) if shown.startswith(_SETTINGS) else None
        yield from (each.span for each in spots(view, source) if each.key == key) if source else ()


def spot_at(view: View, source: Source, line: int, column: int) -> Spot | None:
    """The key that is named at a place, counted from 1; the innermost."""
    found = [each for each in spots(view, source) if _holds(each.span, line, column)]
    return min(found, key=lambda each: each.span.end_column - each.span.column, default=None)


def renames(view: View, key: Key, new: str) -> Iterator[Edit]:
    """The edits that call a key otherwise, wherever settings and declarations name it."""
    for shown in _files(view):
        source = view.source(shown)
        for each in spots(view, source) if source else ():
            if each.key == key and each.written and each.span.line == each.span.end_line:
                text = each.span.source.line(each.span.line)[each.span.column - 1 : each.span.end_column - 1]
                pieces = renaming("", each.written, _renamed(each.written, key, new)).change(text)
                yield from (Edit(within(each.span, start, end), written) for start, end, written in pieces)


def _renamed(written: str, key: Key, new: str) -> str:
    """`name`, `name/provider` or `domain:name`, of a key that is called otherwise."""
    if written == str(key):
        return f"{key.domain}:{new}"
    return new + written.removeprefix(key.name)


def spots(view: View, source: Source) -> Iterator[Spot]:
    """Every place of a text that names a key."""
    if source.path.endswith(".py"):
        yield from _in_python(view, source)
    elif view.inputs is not None and source.path.startswith(_SETTINGS):
        document = parse_document(source, Diagnostics())
        for path, (of_key, of_value) in document.spans.items():
            yield from _in_settings(view, document, path, of_key, of_value)


def _in_settings(view: View, document: Document, path: Path_, of_key: Span, of_value: Span) -> Iterator[Spot]:
    domain, rest = _section(view, document, path)
    value = _value(document, path)
    stated = value if isinstance(value, str) else None
    kind = str(rest[0]) if rest else ""
    if domain is not None and len(rest) == 2:
        yield from _of_entry(view, domain, kind, str(rest[1]), stated, of_key, of_value)
    elif domain is not None and kind == "components" and rest[2:] == ("key",) and stated:
        yield Spot(Key(domain, stated), of_value, stated)
    names_key = kind != "provider_settings" or (len(rest) == 3 and rest[2] in KEYS.get(_provider(rest[1]), ()))
    if names_key and stated and (full := _full(view, stated)):
        yield Spot(full, of_value, stated)


def _of_entry(
    view: View, domain: str, kind: str, name: str, stated: str | None, of_key: Span, of_value: Span
) -> Iterator[Spot]:
    """The keys that an entry of a part of a section names; of `unbind` the name is that of an item."""
    if kind in _BY_KEY:
        key = Key(domain, name)
        provider = stated if kind == "selections" else None
        yield Spot(key, of_key, name, provider)
        if provider:
            yield Spot(key, of_value, None, provider)
        if kind == "aliases" and stated and ":" not in stated:
            yield Spot(Key(domain, stated), of_value, stated)
    elif kind == "provider_settings" and "/" in name:
        yield Spot(Key(domain, name.rpartition("/")[0]), of_key, name, _provider(name))
    elif kind == "provider_settings":
        yield from (Spot(key, of_key, None, name) for key in _served_by(view, domain, name))
    elif kind == "unbind" and stated:
        yield Spot(Key(domain, stated), of_value, stated)


def _provider(name: str | int) -> str:
    return str(name).rpartition("/")[2]


def _in_python(view: View, source: Source) -> Iterator[Spot]:
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    module = Module("", source, tree, is_package=False)
    declared = {each.place.pointer: each for each in _candidates(view)}
    for node in ast.walk(tree):
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        candidate = declared.get(f"{source.path}#{node.name}")
        if candidate is None:
            continue
        yield Spot(candidate.key, module.name_span(node), None, candidate.provider)
        for call in node.decorator_list:
            if isinstance(call, ast.Call):
                yield from _in_call(view, module, call, candidate)


def _in_call(view: View, module: Module, call: ast.Call, candidate: Candidate) -> Iterator[Spot]:
    """The key that a decorator declares, by position or name, and those that it names in full."""
    keys = [*call.args[1:2], *(each.value for each in call.keywords if each.arg == "key")]
    for node in ast.walk(call):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node in keys and node.value == candidate.key.name:
                yield Spot(candidate.key, module.span(node), node.value, candidate.provider)
            elif full := _full(view, node.value):
                yield Spot(full, module.span(node), node.value)


def _section(view: View, document: Document, path: Path_) -> tuple[str | None, Path_]:
    """The domain whose section a path lies in, and the path in it."""
    assert view.inputs is not None
    domains = {section: domain for domain, section in view.inputs.settings.app.sections.items()}
    folder, _, name = document.source.path.removeprefix(_SETTINGS).rpartition("/")
    if folder in ("profiles", "tenants"):
        return (domains.get(str(path[0])), path[1:]) if path else (None, ())
    return domains.get(name.removesuffix(".yml")), path


def _value(document: Document, path: Path_) -> Value:
    value = document.value
    for part in path:
        if isinstance(value, dict) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _full(view: View, text: str) -> Key | None:
    """The key that `domain:name` is."""
    domain, mark, name = text.partition(":")
    key = Key(domain, name)
    known = mark and view.inputs is not None and domain in view.inputs.settings.app.sections
    return key if known and (key in view.decisions or any(each.key == key for each in _candidates(view))) else None


def _served_by(view: View, domain: str, provider: str) -> Iterator[Key]:
    for key, decision in view.decisions.items():
        if key.domain == domain and decision.winner.provider == provider:
            yield key


def _candidates(view: View) -> Iterator[Candidate]:
    catalog = view.inputs.catalog if view.inputs else None
    scopes = (catalog.base, *catalog.profiles.values(), *catalog.tenants.values()) if catalog else ()
    for scope in scopes:
        for candidates in scope.values():
            yield from candidates


def _files(view: View) -> list[str]:
    """The settings files and the sources of the project in which a key may be named, as places call them."""
    if view.inputs is None:
        return []
    settings = {each for files in view.inputs.settings.files.values() for each in files}
    declared = (each.place.pointer.partition("#")[0] for each in _candidates(view))
    sources = {each for each in declared if each.endswith(".py") and (view.project.root / each).is_file()}
    return sorted(settings | sources)


def _holds(span: Span, line: int, column: int) -> bool:
    return span.line == line == span.end_line and span.column <= column <= span.end_column
