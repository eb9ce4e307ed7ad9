"""What a user did wrong, as values: code, place, reason, help. Nothing here draws them; `render` does."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

from oneiric_compiler.diagnostics.codes import CODES
from oneiric_compiler.diagnostics.edits import Advice, renaming
from oneiric_compiler.text.redact import Shown

Severity = Literal["error", "warning", "note"]
Help: TypeAlias = "str | Callable[[], str | None] | None"
"""What to do; as a function where it takes a search to say."""
_SEARCHES = 50
_LONGEST = 128


@dataclass(frozen=True, eq=False)
class Source:
    """A text that places point into: `path` as shown to people, relative and with `/`."""

    path: str
    text: str

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split("\n")

    def has(self, number: int) -> bool:
        """Whether there is such a line, counted from 1."""
        return 0 < number <= len(self._lines)

    @cached_property
    def shown(self) -> Shown:
        """The lines as they may be shown, with nothing secret in them."""
        return Shown(self.text)

    def line(self, number: int) -> str:
        """Line `number`, counted from 1, without its end; empty when there is no such line."""
        return self._lines[number - 1].rstrip("\r") if self.has(number) else ""


class Span(NamedTuple):
    """A stretch of a source: lines and columns count from 1, columns in characters, the end excluded."""

    source: Source
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1


class Edit(NamedTuple):
    """A change of a source: `text` stands instead of what is at `span`, which is empty where something is inserted."""

    span: Span
    text: str


class Place(NamedTuple):
    """Where a fact was stated: a pointer that survives moved lines, and the span it has today."""

    pointer: str
    span: Span | None = None

    def __str__(self) -> str:
        return self.pointer


@dataclass(frozen=True, slots=True)
class Diagnostic:
    code: str
    message: str
    span: Span | None = None
    help: str | None = None
    related: tuple[tuple[str, Span], ...] = ()
    strict: bool = False

    @property
    def severity(self) -> Severity:
        return "error" if self.strict else CODES[self.code].severity

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What does as the help says, in the order of the text; empty where that is left to a person."""
        if not isinstance(self.help, Advice):
            return ()
        span = self.help.at or self.span
        if span is None or span.line != span.end_line:
            return ()
        if self.help.of_settings and span.source.path.endswith(".py"):
            return ()
        text = span.source.line(span.line)[span.column - 1 : span.end_column - 1]
        pieces = self.help.change(text)
        return tuple(Edit(within(span, start, end), written) for start, end, written in pieces)


@dataclass(slots=True)
class Diagnostics:
    """Collects what is found, each finding once, whatever order it is found in."""

    strict: bool = False
    _found: dict[tuple[object, ...], Diagnostic] = field(default_factory=dict[tuple[object, ...], Diagnostic])
    _looked: dict[str, int] = field(default_factory=dict[str, int])

    def add(
        self,
        code: str,
        message: str,
        at: Place | Span | None = None,
        *,
        help: Help = None,
        related: Iterable[tuple[str, Place | Span | None]] = (),
    ) -> None:
        span = at.span if isinstance(at, Place) else at
        others = tuple(
            (label, other)
            for label, place in related
            if (other := place.span if isinstance(place, Place) else place) is not None
        )
        strict = self.strict and (CODES[code].severity == "warning" or CODES[code].strict)
        where = (span.source.path, span.line, span.column) if span else ()
        if (code, message, where) not in self._found:
            found = Diagnostic(code, message, span, self._looked_for(code, help), others, strict)
            self._found[code, message, where] = found

    def _looked_for(self, code: str, help: Help) -> str | None:
        """A help; one that takes a search through all names is not looked for at the thousandth mistake of a kind."""
        if not callable(help):
            return help
        self._looked[code] = self._looked.get(code, 0) + 1
        return help() if self._looked[code] <= _SEARCHES else None

    def __iter__(self) -> Iterator[Diagnostic]:
        """Sorted by file and place, those without a place first."""
        return iter(sorted(self._found.values(), key=_position))

    @property
    def failed(self) -> bool:
        return any(each.severity == "error" for each in self._found.values())


def within(span: Span, start: int, end: int) -> Span:
    """A stretch of a span that is on one line, in characters from its start."""
    return Span(span.source, span.line, span.column + start, span.line, span.column + end)


def _position(each: Diagnostic) -> tuple[str, int, int, str, str]:
    span = each.span
    path, line, column = (span.source.path, span.line, span.column) if span else ("", 0, 0)
    return path, line, column, each.code, each.message


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that `word` most likely meant, if one is near; of what is longer than any name nothing is near."""
    if len(word) > _LONGEST:
        return None
    names = sorted(each for each in known if len(each) <= _LONGEST)
    return next(iter(difflib.get_close_matches(word, names, n=1, cutoff=0.6)), None)


def did_you_mean(word: str, known: Iterable[str], otherwise: str | None = None) -> str | None:
    """Help text naming the nearest name; else all of them when they are few; else `otherwise`."""
    names = sorted(known)
    if near := nearest(word, names):
        return renaming(f"did you mean `{near}`?", word, near)
    if otherwise is None and 0 < len(names) <= 20:
        return "known: " + ", ".join(f"`{name}`" for name in names)
    return otherwise
