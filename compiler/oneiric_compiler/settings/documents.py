"""YAML text to plain values with the place of each: a strict reading of YAML 1.2's core, on libyaml.

Source of the scalar rules: YAML 1.2.2, section 10.3.2 (core schema).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import yaml
from oneiric.secrecy.names import secret_name
from yaml.reader import ReaderError

from oneiric_compiler.diagnostics.edits import quoting, requoting
from oneiric_compiler.diagnostics.found import Diagnostics, Place, Source, Span
from oneiric_compiler.settings.mistakes import explained, tell_conflicts
from oneiric_compiler.text.redact import MASK

if TYPE_CHECKING:
    import zipfile

Folder: TypeAlias = "Path | zipfile.Path"
Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
Path_: TypeAlias = tuple[str | int, ...]

NOTHING_UNSAVED: Mapping[Path, str] = {}
MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 32
MAX_DIGITS = 300

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_BROKEN_PATH = re.compile(r"[A-Za-z]:[\x00-\x1f\x85\xa0\u2028\u2029]")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WRITE_OUT = "write the value out where it is used"
_UNDECODABLE = re.compile("[\ud800-\udfff]")
_STRANGE_BREAK = re.compile("\r(?!\n)|[\x85\u2028\u2029]")


@dataclass(slots=True)
class Document:
    """One settings file: its value, and for each path in it the spans of the key and of the value.

    It is `broken` when something is wrong with it; `unread` is where values stand that are left out for that.
    """

    source: Source
    value: Value = None
    spans: dict[Path_, tuple[Span, Span]] = field(default_factory=dict[Path_, tuple[Span, Span]])
    broken: bool = False
    unread: set[Path_] = field(default_factory=set[Path_])

    def place(self, *path: str | int, named: str | None = None, of_key: bool = False) -> Place:
        """The place of `path`; `named` replaces its last part in the pointer (lists are named by content)."""
        shown = path if named is None else (*path[:-1], named)
        pointer = f"{self.source.path}#{json_pointer(*shown)}"
        while path and path not in self.spans:
            path = path[:-1]
        key, value = self.spans.get(path, (Span(self.source), Span(self.source)))
        return Place(pointer, key if of_key else value)


def json_pointer(*path: str | int) -> str:
    """The path by RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def read_document(
    path: Path, shown: str, diagnostics: Diagnostics, unsaved: Mapping[Path, str] = NOTHING_UNSAVED
) -> Document | None:
    """The document at `path`, or None when it is not text; what is wrong with it goes to `diagnostics`."""
    text = unsaved[path] if path in unsaved else read_text(path, shown, diagnostics, limit=MAX_BYTES)
    if text is None:
        return None
    return parse_document(Source(shown, text), diagnostics)


def read_text(path: Folder, shown: str, diagnostics: Diagnostics, *, limit: int | None = None) -> str | None:
    """The UTF-8 text of a regular file within `limit` bytes, else None and a diagnostic."""
    nowhere = Span(Source(shown, ""))
    try:
        if not path.is_file():
            message, help = _no_file(path, shown)
            diagnostics.add("ONE101", message, nowhere, help=help)
            return None
        with path.open("rb") as stream:
            data = stream.read() if limit is None else stream.read(limit + 1)
    except OSError as error:
        message = f"{shown} cannot be read: {error.strerror}"
        diagnostics.add("ONE101", message, nowhere, help="let the user who compiles read it")
        return None
    if limit is not None and len(data) > limit:
        message = f"{shown} is larger than {limit // 2**20} MiB"
        diagnostics.add("ONE103", message, nowhere, help="settings are small: keep data elsewhere")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        source = Source(shown, data.decode("utf-8", "replace"))
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        diagnostics.add("ONE102", message, Span(source, line, column, line, column + 1), help="save it as UTF-8")
        return None


def _no_file(path: Folder, shown: str) -> tuple[str, str]:
    """What is in a file's place, and what to do."""
    if isinstance(path, Path) and path.is_symlink():
        return f"{shown} is a link to {os.readlink(path)}, where no file is", "correct the link, or remove it"
    if path.exists():
        return f"{shown} is not a regular file", "put a file in its place"
    return f"{shown} does not exist", "`oneiric init` writes one"


def parse_document(source: Source, diagnostics: Diagnostics) -> Document:
    """The value of a YAML text; a document with any error is `broken` and holds what could be read."""
    document = Document(source)
    if tell_conflicts(source, diagnostics):
        document.broken = True
        return document
    if strange := _STRANGE_BREAK.search(source.text):
        _refuse_break(strange, document, diagnostics)
        return document
    events = _Events(source, diagnostics, document)
    try:
        events.read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        span = _point(source, mark.line, mark.column) if mark else Span(source)
        begin = error.context_mark
        context = _point(source, begin.line, begin.column) if begin else None
        problem = error.problem or error.context or "not YAML"
        problem, span, help = explained(source, problem, error.context or "", context, span)
        related = [(error.context or "", context if context != span else None)]
        diagnostics.add("ONE104", problem, span, help=help, related=related)
        document.value, document.broken = None, True
    except ReaderError as error:
        before = source.text.encode()[: error.position].decode("utf-8", "ignore")
        span = _point(source, before.count("\n"), len(before) - before.rfind("\n") - 1)
        message = f"the character U+{error.character:04X}: {error.reason}"
        help = f'in a text, write "\\x{error.character:02x}" in double quotes'
        diagnostics.add("ONE104", message, span, help=help)
        document.value, document.broken = None, True
    except _TooDeepError as error:
        help = "settings need only a few levels: flatten the data"
        diagnostics.add("ONE103", f"nested deeper than {MAX_DEPTH} levels", error.span, help=help)
        document.broken = True
    return document


def _point(source: Source, line: int, column: int) -> Span:
    """The character at a mark, which counts from 0; libyaml marks the end of a text on a line after its last."""
    last = source.text.count("\n")
    if line > last:
        line, column = last, len(source.line(last + 1))
    return Span(source, line + 1, column + 1, line + 1, column + 2)


def _refuse_break(found: re.Match[str], document: Document, diagnostics: Diagnostics) -> None:
    """Characters that some readers take for the end of a line and others for text."""
    before = document.source.text[: found.start()]
    message = f"the character U+{ord(found[0]):04X}, which not every reader takes for the end of a line"
    help = f'end lines with a line feed; in a text, write "\\u{ord(found[0]):04x}" in double quotes'
    at = _point(document.source, before.count("\n"), len(before) - before.rfind("\n") - 1)
    diagnostics.add("ONE107", message, at, help=help)
    document.broken = True


def _hidden(text: str, path: Path_, quote: str = "`") -> str:
    """What is refused, as a message names it: not where it may have been meant as a secret."""
    hides = any(secret_name(part) for part in path if isinstance(part, str))
    return MASK if hides else f"{quote}{text}{quote}"


class _TooDeepError(Exception):
    def __init__(self, span: Span) -> None:
        self.span = span


class _Events:
    """Folds libyaml's events into values."""

    def __init__(self, source: Source, diagnostics: Diagnostics, document: Document) -> None:
        self.source, self.diagnostics, self.document = source, diagnostics, document
        self.lines = source.text.count("\n") + 1
        self.refused = 0
        self.aliases: set[str] = set()
        self.end = Span(source)
        self.stream: Iterator[yaml.Event] = iter(yaml.parse(source.text, Loader=yaml.CLoader))

    def read(self) -> None:
        documents = 0
        for event in self.stream:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse("ONE105", "a second document in one file", self._span(event), help="remove `---`")
                    return
            elif not isinstance(event, (yaml.StreamStartEvent, yaml.StreamEndEvent, yaml.DocumentEndEvent)):
                self.document.value, span = self._value(event, ())
                self.document.spans[()] = (span, span)

    def _value(self, event: yaml.Event, path: Path_) -> tuple[Value, Span]:
        """The value that the event begins, and where it stands."""
        before, start = self.refused, self._span(event)
        self.end = start
        value = self._read(event, start, path)
        if self.refused > before and not isinstance(value, (list, dict)):
            self.document.unread.add(path)
        end = self.end
        return value, Span(self.source, start.line, start.column, end.end_line, end.end_column)

    def _read(self, event: yaml.Event, span: Span, path: Path_) -> Value:
        if len(path) > MAX_DEPTH:
            raise _TooDeepError(span)
        if isinstance(event, yaml.AliasEvent):
            self._refuse_alias(str(event.anchor), span, path)
            return None
        if anchor := getattr(event, "anchor", None):
            self._refuse("ONE105", f"an anchor, {_hidden(f'&{anchor}', path)}", span, help="remove it")
        if tag := getattr(event, "tag", None):
            message = f"a tag, {_hidden(tag.replace('tag:yaml.org,2002:', '!!'), path)}"
            meant = _hidden(tag, path, '"') if tag.startswith("!") and not getattr(event, "value", "") else None
            help = f"write {meant} in quotes" if meant else "remove it: quotes make text, all else is plain"
            self._refuse("ONE105", message, span, help=help)
            self.document.unread.add(path)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, span, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _sequence(self, path: Path_) -> list[Value]:
        items: list[Value] = []
        while not isinstance(event := next(self.stream), yaml.SequenceEndEvent):
            place = (*path, len(items))
            value, span = self._value(event, place)
            items.append(value)
            self.document.spans[place] = (span, span)
        self._ends(event)
        return items

    def _mapping(self, path: Path_) -> dict[str, Value]:
        """Sorted, so that the order of keys in a file cannot reach an output."""
        mapping: dict[str, Value] = {}
        while not isinstance(event := next(self.stream), yaml.MappingEndEvent):
            key, key_span = self._value(event, (*path, "?"))
            first = self.document.spans[(*path, key)][0] if isinstance(key, str) and key in mapping else None
            fits = isinstance(key, str) and self._fits(event, key, key_span, first)
            if not isinstance(key, str):
                self._refuse("ONE106", "a key that is not a string", key_span, help=quoting("put the key in quotes"))
            value_event = next(self.stream)
            if isinstance(key, str) and fits:
                mapping[key], span = self._value(value_event, (*path, key))
                self.document.spans[(*path, key)] = (key_span, span)
                continue
            self.document.unread.add((*path, "?"))
            if not isinstance(value_event, yaml.AliasEvent):
                self._value(value_event, (*path, "?"))
        self._ends(event)
        return dict(sorted(mapping.items()))

    def _fits(self, event: yaml.Event, key: str, span: Span, first: Span | None) -> bool:
        """Whether a text can be a key here; `first` is where the mapping has it already."""
        if key == "<<" and isinstance(event, yaml.ScalarEvent) and not event.style:
            self._refuse("ONE105", "a merge key, `<<`", span, help=_WRITE_OUT)
        elif first is not None:
            message = f"`{key}` stands twice in one mapping"
            self._refuse("ONE106", message, span, help="keep one of them", first=first)
        else:
            return True
        return False

    def _scalar(self, event: yaml.ScalarEvent, span: Span, path: Path_) -> Value:
        text: str = event.value
        if _UNDECODABLE.search(text):
            self._refuse("ONE107", "text with an unpaired surrogate", span, help="write the character itself")
            return None
        if event.style:
            self._check_path(event, span)
            return text
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if _NOT_FINITE.fullmatch(text):
            self._refuse("ONE107", f"`{text}` is not a finite number", span, help=quoting("quote it if it is text"))
            return None
        if _INT.fullmatch(text) or _FLOAT.fullmatch(text):
            return self._number(text, span, path)
        return text

    def _check_path(self, event: yaml.ScalarEvent, span: Span) -> None:
        """In double quotes `"C:\\new"` holds a line's end, which nobody means."""
        if event.style == '"' and _BROKEN_PATH.match(event.value):
            help = requoting("put the text in single quotes, where a backslash is nothing but that")
            self._refuse("ONE107", "a Windows path in double quotes, where `\\` begins an escape", span, help=help)

    def _number(self, text: str, span: Span, path: Path_) -> int | float | None:
        if len(text) > MAX_DIGITS:
            self._refuse("ONE107", f"a number of {len(text)} characters", span, help=quoting("quote it if it is text"))
            return None
        if _LEADING_ZERO.fullmatch(text):
            octal = f"`0o{text.lstrip('0')}` for octal, " if not set(text) & set("89+-") else ""
            help = f'write {octal}`{int(text)}` for the decimal number, or "{text}" for text'
            message = f"`{text}` begins with a zero: YAML 1.2 reads {int(text)}, older readers an octal number"
            self._refuse("ONE107", message, span, help=help)
            return None
        if text.startswith(("0x", "0o")):
            return int(text, 0)
        if _INT.fullmatch(text):
            return int(text)
        number = float(text)
        if number in (float("inf"), float("-inf")):
            message = f"{_hidden(text, path)} is too large a number"
            self._refuse("ONE107", message, span, help=quoting("quote it if it is text"))
            return None
        return number

    def _ends(self, event: yaml.Event) -> None:
        """Notes where a collection in brackets ends; one in lines ends with its last value."""
        span = self._span(event)
        if (span.line, span.column) != (span.end_line, span.end_column):
            self.end = span

    def _refuse_alias(self, anchor: str, span: Span, path: Path_) -> None:
        """Tells of each anchor once that something refers to it: thousands of aliases are one mistake."""
        self.document.broken = True
        self.refused += 1
        if anchor not in self.aliases:
            self.aliases.add(anchor)
            self.diagnostics.add("ONE105", f"an alias, {_hidden(f'*{anchor}', path)}", span, help=_WRITE_OUT)

    def _refuse(
        self, code: str, message: str, span: Span, *, help: str | None = None, first: Span | None = None
    ) -> None:
        self.document.broken = True
        self.refused += 1
        self.diagnostics.add(code, message, span, help=help, related=[("first here", first)])

    def _span(self, event: yaml.Event) -> Span:
        start, end = event.start_mark, event.end_mark
        assert start is not None and end is not None
        if start.line >= self.lines:
            return _point(self.source, start.line, start.column)
        return Span(self.source, start.line + 1, start.column + 1, end.line + 1, end.column + 1)
