"""Helps that are edits: what they say is done by changing characters of the text that a diagnostic points at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from oneiric_compiler.text.references import closings

if TYPE_CHECKING:
    from oneiric_compiler.diagnostics.found import Span

_QUOTED = re.compile(r"""(?P<quote>["'])(?P<text>[^"'\\\n]*)(?P=quote)""")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*(?::[A-Za-z0-9_./-]+)*")
_NO_TEXT = re.compile(r"(?i:null|true|false)")
_ENTRY = re.compile(rf"{_PLAIN.pattern}:[ ]+{_PLAIN.pattern}")
_DEFAULT = re.compile(r"(?<!\$)\$\{[A-Za-z_][A-Za-z0-9_]*(?=:-)")
_BARE = re.compile(r"[A-Za-z0-9_.+-]+")

_NEAREST = "writes the nearest name"

FIXABLE = {
    "ONE106": "puts the key in quotes",
    "ONE107": "puts what is text in quotes, and a path of Windows in single ones",
    "ONE110": "writes the nearest key, or the selection that was meant",
    "ONE111": "writes the nearest value, `true` or `false`, and puts text in quotes and a list in brackets",
    "ONE114": "writes the reference as `module:Name`",
    "ONE116": _NEAREST,
    "ONE123": _NEAREST,
    "ONE201": _NEAREST,
    "ONE203": _NEAREST,
    "ONE206": _NEAREST,
    "ONE207": _NEAREST,
    "ONE301": _NEAREST,
    "ONE305": _NEAREST,
    "ONE401": _NEAREST,
    "ONE407": "writes the nearest setting, or what the provider calls it",
    "ONE408": "puts in quotes what is text, takes quotes from what is none, writes seconds and `${NAME}`",
    "ONE410": "removes the default",
    "ONE415": "writes `${NAME}`",
    "ONE423": _NEAREST,
    "ONE440": _NEAREST,
    "ONE443": _NEAREST,
    "ONE444": _NEAREST,
    "ONE701": _NEAREST,
    "ONE704": _NEAREST,
    "ONE710": _NEAREST,
    "ONE712": _NEAREST,
    "ONE716": _NEAREST,
    "ONE719": _NEAREST,
    "ONE724": _NEAREST,
    "ONE728": _NEAREST,
}
"""The codes some of whose helps are edits, and what those do; all else is left to a person."""


class Piece(NamedTuple):
    """From `start` to `end` of a text, in characters, stands `text` instead."""

    start: int
    end: int
    text: str


Change: TypeAlias = "Callable[[str], tuple[Piece, ...]]"
"""The text that a diagnostic points at, to what changes of it: nothing where it is not written as was expected."""


class Advice(str):
    """A help that is an edit, of what the diagnostic points at, or `at` another span of its source; one that is
    `of_settings` writes YAML, and is none in a Python source."""

    __slots__ = ("at", "change", "of_settings")
    change: Change
    of_settings: bool
    at: Span | None

    def __new__(cls, help: str, change: Change, *, of_settings: bool = False, at: Span | None = None) -> Advice:
        made = super().__new__(cls, help)
        made.change, made.of_settings, made.at = change, of_settings, at
        return made


def renaming(help: str, old: str, new: str) -> Advice:
    """`new` for `old`, in quotes or plain: a whole name, or the part of one behind or before a colon."""

    def change(text: str) -> tuple[Piece, ...]:
        start, end = _inside(text)
        written = text[start:end]
        fits = _PLAIN.fullmatch(new) is not None and not _NO_TEXT.fullmatch(new)
        if not fits:
            return ()
        if written == old:
            return (Piece(start, end, new),)
        if written.endswith(f":{old}"):
            return (Piece(end - len(old), end, new),)
        if written.startswith(f"{old}:"):
            return (Piece(start, start + len(old), new),)
        return ()

    return Advice(help, change)


def quoting(help: str) -> Advice:
    """Quotes around a number or a word."""
    return Advice(help, lambda text: _around(text, '"', '"') if _BARE.fullmatch(text) else ())


def unquoting(help: str) -> Advice:
    """No quotes around a number or a word."""

    def change(text: str) -> tuple[Piece, ...]:
        if not _QUOTED.fullmatch(text) or not _BARE.fullmatch(text[1:-1]):
            return ()
        return Piece(0, 1, ""), Piece(len(text) - 1, len(text), "")

    return Advice(help, change, of_settings=True)


def listing(help: str) -> Advice:
    """Brackets around one text, which make it a list of one."""
    return Advice(
        help, lambda text: _around(text, "[", "]") if _PLAIN.fullmatch(text) or _QUOTED.fullmatch(text) else ()
    )


def writing(help: str, old: str, new: str) -> Advice:
    """The YAML scalar `new` in place of the whole of `old`, its quotes included."""

    def change(text: str) -> tuple[Piece, ...]:
        start, end = _inside(text)
        return (Piece(0, len(text), new),) if text[start:end] == old else ()

    return Advice(help, change, of_settings=True)


def requoting(help: str) -> Advice:
    """Single quotes for double ones, in which a backslash is an escape."""

    def change(text: str) -> tuple[Piece, ...]:
        if len(text) < 2 or text[0] != '"' or text[-1] != '"' or "'" in text or '"' in text[1:-1]:
            return ()
        return Piece(0, 1, "'"), Piece(len(text) - 1, len(text), "'")

    return Advice(help, change, of_settings=True)


def bracing(help: str, name: str) -> Advice:
    """`${name}` for each `$name`."""
    variable = re.compile(rf"(?<![\w$\\])\${re.escape(name)}(?![\w$])")

    def change(text: str) -> tuple[Piece, ...]:
        return tuple(_braces(variable, text))

    return Advice(help, change, of_settings=True)


def selecting(help: str, at: Span) -> Advice:
    """`selections: {key: provider}` for `key: provider`, which stands there."""

    def change(text: str) -> tuple[Piece, ...]:
        return _around(text, "selections: {", "}") if _ENTRY.fullmatch(text) else ()

    return Advice(help, change, of_settings=True, at=at)


def without_default(help: str) -> Advice:
    """`${NAME}` for the one reference with a default."""

    def change(text: str) -> tuple[Piece, ...]:
        found = [*_DEFAULT.finditer(text)]
        end = closings(text).get(found[0].start() + 1) if len(found) == 1 else None
        return () if end is None else (Piece(found[0].end(), end, ""),)

    return Advice(help, change, of_settings=True)


def _braces(variable: re.Pattern[str], text: str) -> Iterator[Piece]:
    for found in variable.finditer(text):
        yield Piece(found.start() + 1, found.start() + 1, "{")
        yield Piece(found.end(), found.end(), "}")


def _inside(text: str) -> tuple[int, int]:
    """Where what is in the quotes of a text starts and ends, or the text where it has none."""
    return (1, len(text) - 1) if _QUOTED.fullmatch(text) else (0, len(text))


def _around(text: str, before: str, behind: str) -> tuple[Piece, ...]:
    return Piece(0, 0, before), Piece(len(text), len(text), behind)
