"""The helps that are edits, made: which files of a project they change, and how. Nothing here writes but `write`."""

from __future__ import annotations

import ast
import codecs
import difflib
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from oneiric.files import put

from oneiric_compiler.diagnostics.found import Diagnostic, Diagnostics, Edit, Source
from oneiric_compiler.model import Project
from oneiric_compiler.settings.documents import Value, parse_document
from oneiric_compiler.settings.folder import within

_AROUND = 3
"""Lines of a diff before and behind what changed."""


class Changed(Exception):
    """A file is no longer what the compiler read."""


@dataclass(frozen=True, slots=True)
class Change:
    """A file, what the compiler read of it, and the diagnostics that edits of it do away with."""

    path: Path
    source: Source
    fixed: tuple[Diagnostic, ...]

    @property
    def text(self) -> str:
        """The text with the edits made."""
        return edited(self.source, _edits(self.fixed))


class Fixes(NamedTuple):
    """The files that change, and the diagnostics that have to wait, since another edit touches theirs."""

    changes: tuple[Change, ...]
    waiting: tuple[Diagnostic, ...]

    @property
    def made(self) -> list[Diagnostic]:
        """The diagnostics whose edits are made."""
        return [each for change in self.changes for each in change.fixed]


Mark = Literal[" ", "-", "+"]


class Hunk(NamedTuple):
    """Lines of a diff that stand together: where they begin, from 1, and how many they are, before and after."""

    old: tuple[int, int]
    new: tuple[int, int]
    lines: tuple[tuple[Mark, str], ...]


def fixes(project: Project, diagnostics: Iterable[Diagnostic]) -> Fixes:
    """What can be made of the diagnostics at once: of edits that touch each other, the first."""
    by_source: dict[Source, list[Diagnostic]] = {}
    for each in diagnostics:
        if each.edits and each.span is not None:
            by_source.setdefault(each.span.source, []).append(each)
    waiting: list[Diagnostic] = []
    changes: list[Change] = []
    for source, found in by_source.items():
        path = _editable(project, source)
        apart, others = _apart(found)
        fit = apart if is_sound(source, apart) else _fitting(source, apart)
        if path is not None and fit:
            waiting += others
            changes.append(Change(path, source, tuple(fit)))
    return Fixes(tuple(changes), tuple(waiting))


def edited(source: Source, edits: Iterable[Edit]) -> str:
    """The text of a source with edits made that do not touch each other, in the order of the text."""
    starts = _line_starts(source.text)
    parts: list[str] = []
    position = 0
    for span, text in edits:
        begin, end = starts[span.line - 1] + span.column - 1, starts[span.end_line - 1] + span.end_column - 1
        parts += [source.text[position:begin], text]
        position = end
    return "".join([*parts, source.text[position:]])


def write(changes: Sequence[Change]) -> None:
    """Put each file in its place whole, its permissions kept. Raises `Changed`, with nothing written, where a file is
    not what was read, and `OSError`."""
    before = [each.path.read_bytes() for each in changes]
    for each, data in zip(changes, before, strict=True):
        if _text(data) != each.source.text:
            raise Changed(each.source.path)
    for each, data in zip(changes, before, strict=True):
        mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        put(each.path, mark + each.text.encode(), mode=stat.S_IMODE(each.path.stat().st_mode))


def hunks(change: Change) -> Iterator[Hunk]:
    """What changes, by lines, as they may be shown: with nothing secret in them."""
    old, new = change.source, Source(change.source.path, change.text)
    before, after = (each.text.removesuffix("\n").split("\n") for each in (old, new))
    matcher = difflib.SequenceMatcher(None, before, after)
    for group in matcher.get_grouped_opcodes(_AROUND):
        lines: list[tuple[Mark, str]] = []
        for kind, old_start, old_end, new_start, new_end in group:
            if kind == "equal":
                lines += _shown(" ", old, old_start, old_end)
            else:
                lines += _shown("-", old, old_start, old_end)
                lines += _shown("+", new, new_start, new_end)
        (_, first, _, new_first, _), (_, _, last, _, new_last) = group[0], group[-1]
        yield Hunk((first + 1, last - first), (new_first + 1, new_last - new_first), tuple(lines))


def _apart(found: Iterable[Diagnostic]) -> tuple[list[Diagnostic], list[Diagnostic]]:
    """Those of a source whose edits do not touch each other, and those that touch one of these."""
    apart: list[Diagnostic] = []
    others: list[Diagnostic] = []
    reached = (0, 0)
    for each in sorted(found, key=lambda each: _start(each.edits[0])):
        free = _start(each.edits[0]) > reached
        (apart if free else others).append(each)
        if free:
            reached = _end(each.edits[-1])
    return apart, others


def _fitting(source: Source, found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Those that can be made together: not what would state a name twice, or what YAML would read otherwise."""
    fit: list[Diagnostic] = []
    for each in found:
        if is_sound(source, [*fit, each]):
            fit.append(each)
    return fit


def is_sound(source: Source, found: Sequence[Diagnostic]) -> bool:
    """Whether a source with edits made is read no worse than before."""
    text = edited(source, _edits(found))
    if source.path.endswith(".py"):
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        return True
    return _faults(Source(source.path, text)) <= _faults(source)


def _faults(source: Source) -> Counter[str]:
    """What is wrong with a text of YAML, and how often: by code, and what lists hold twice."""
    diagnostics = Diagnostics()
    document = parse_document(source, diagnostics)
    found = Counter(each.code for each in diagnostics)
    found["twice"] = _repeated(document.value)
    return found


def _repeated(value: Value) -> int:
    if isinstance(value, dict):
        return sum(map(_repeated, value.values()))
    if not isinstance(value, list):
        return 0
    texts = [each for each in value if isinstance(each, str)]
    return len(texts) - len(set(texts)) + sum(map(_repeated, value))


def _edits(found: Iterable[Diagnostic]) -> tuple[Edit, ...]:
    return tuple(sorted((edit for each in found for edit in each.edits), key=_start))


def _shown(mark: Mark, source: Source, start: int, end: int) -> list[tuple[Mark, str]]:
    line = source.shown.python if source.path.endswith(".py") else source.shown.settings
    return [(mark, line(number + 1)) for number in range(start, end)]


def _editable(project: Project, source: Source) -> Path | None:
    """The file that a source was read from, where it is one of the project's own; no manifest, no output, nothing
    installed."""
    folder, _, name = source.path.partition("/")
    if folder == "settings" and name.endswith(".yml"):
        root, path = project.settings, project.settings / name
    elif source.path.endswith(".py"):
        root, path = project.root, project.root / source.path
    else:
        return None
    try:
        found = within(root.resolve(), path.relative_to(root).as_posix())
        return found if found is not None and _text(found.read_bytes()) == source.text else None
    except OSError:
        return None


def _text(data: bytes) -> str | None:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _start(edit: Edit) -> tuple[int, int]:
    return edit.span.line, edit.span.column


def _end(edit: Edit) -> tuple[int, int]:
    return edit.span.end_line, edit.span.end_column


def _line_starts(text: str) -> list[int]:
    starts = [0]
    while (found := text.find("\n", starts[-1])) >= 0:
        starts.append(found + 1)
    return starts
