"""Text of others made safe to show: secrets as asterisks.

Nothing here takes longer than in proportion to the text, whoever wrote it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from oneiric.report import Json
from oneiric.secrecy.names import authorization_name, secret_name
from oneiric.secrecy.shapes import secrets_in

from oneiric_compiler.text.references import closings

MASK = "****"
_NAMED = re.compile(r"""(?<![\w.\-/])(?P<name>[\w.\-/]++)(?:["']\s*+:|\s*+:(?=\s|$)|\s*+=(?!=))\s*+""")
_RUN = re.compile(r"""[^\s"']++""")
_USER = re.compile(r"[^:/@]*+:")
_REFERENCE = re.compile(r"(?<!\$)\$\{[A-Za-z_][A-Za-z0-9_]*+\}")
_PARTS = re.compile(rf"({_REFERENCE.pattern})")
_SECRET_DEFAULT = re.compile(r"(?<!\$)\$\{(?=\w*?SECRET)\w++:[-?]")
_STRUCTURE = re.compile(r"(?:\A|(?<!\$)\$\{\w++:-)\s*+[\[{]")
_PLAIN_ENDS = ",]}"
_EDGE = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]*?PRIVATE KEY")
_PYTHON_STRING = re.compile(r""""(?:[^"\\]|\\.)*+"?|'(?:[^'\\]|\\.)*+'?""")


def mask(text: str) -> str:
    """As many asterisks as the text has characters; spaces and references without default stay."""
    kept = {index for found in _REFERENCE.finditer(text) for index in range(*found.span())}
    return "".join(char if index in kept or char.isspace() else "*" for index, char in enumerate(text))


def masked(text: str) -> str:
    """The text, character for character, with what is secret by its shape masked, and defaults of secrets."""
    return _with_masks(text, mask)


def redacted(name: str, value: Json) -> Json:
    """The value of a setting with what a secret-looking name holds, and what is secret by its shape, masked.

    A mask tells nothing of the length of what it hides.
    """
    hides = _hides(name)
    if isinstance(value, Mapping):
        return {each: redacted(name if hides else each, inner) for each, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(name, inner) for inner in value]
    if hides and value is not None:
        return _hidden(value if isinstance(value, str) else json.dumps(value))
    return _with_masks(value, _hidden) if isinstance(value, str) else value


class Shown:
    """The lines of a text as they may be shown, each worked out once."""

    def __init__(self, text: str) -> None:
        self._lines = [line.rstrip("\r") for line in text.split("\n")]
        self._parents = _parents(self._lines)
        self._whole = _key_lines(self._lines) | _continued(self._lines)
        self._under: dict[int, bool] = {}
        self._settings: dict[int, str] = {}
        self._python: dict[int, str] = {}

    def settings(self, number: int) -> str:
        """Line `number` (from 1) of a settings text, with what stands at or under secret-looking names masked."""
        if number not in self._settings:
            self._settings[number] = self._settings_line(number - 1)
        return self._settings[number]

    def python(self, number: int) -> str:
        """Line `number` (from 1) of a Python text, with the strings after secret-looking names masked."""
        if number not in self._python:
            line = masked(self._lines[number - 1])
            start = len(line) if (named := _first_secret(line)) is None else named
            strings = _PYTHON_STRING.sub(lambda found: mask(found[0]), line[start:])
            self._python[number] = line[:start] + strings
        return self._python[number]

    def _settings_line(self, index: int) -> str:
        line = self._lines[index]
        if index in self._whole:
            return mask(line)
        if self._is_under_secret(index):
            begin = len(line) - len(line.lstrip(" -"))
            found = _NAMED.search(line)
            first = found is not None and not line[begin : found.start()].strip(" -?[]{},\"'")
            start = found.end() if found and first else begin
        else:
            own = _first_secret(line)
            start = len(line) if own is None else own
        return masked(line[:start]) + mask(line[start:])

    def _is_under_secret(self, index: int) -> bool:
        """Whether a line that contains this one has a secret-looking name."""
        above: list[int] = []
        at: int | None = index
        while at is not None and at not in self._under:
            above.append(at)
            at = self._parents[at]
        hidden = at is not None and self._under[at]
        for each in reversed(above):
            parent = self._parents[each]
            hidden = hidden or (parent is not None and _first_secret(self._lines[parent]) is not None)
            self._under[each] = hidden
        return self._under[index]


def settings_line(text: str, number: int) -> str:
    """As `Shown(text).settings(number)`."""
    return Shown(text).settings(number)


def python_line(text: str, number: int) -> str:
    """As `Shown(text).python(number)`."""
    return Shown(text).python(number)


def _hides(name: str) -> bool:
    return secret_name(name) or authorization_name(name)


def _with_masks(text: str, hide: Callable[[str], str]) -> str:
    """The text with what is secret by its shape hidden; more than a compile refuses, where it may be a secret."""
    shown: list[str] = []
    position = 0
    spans = [each[:2] for each in secrets_in(text)]
    defaults = [each.span() for each in _SECRET_DEFAULT.finditer(text)]
    closed = closings(text) if defaults else {}
    spans += [(end, closed.get(start + 1, len(text))) for start, end in defaults]
    for start, end in sorted([*spans, *_url_passwords(text), *_named_in_defaults(text)]):
        start = max(start, position)
        if start < end:
            shown += [text[position:start], hide(text[start:end])]
            position = end
    return "".join([*shown, text[position:]])


def _named_in_defaults(text: str) -> Iterator[tuple[int, int]]:
    """What follows a secret-looking name in a text or a default that is a list or a mapping, to the end of that."""
    begins = [each.end() - 1 for each in _STRUCTURE.finditer(text)]
    closed = closings(text) if begins else {}
    reached = 0
    for begin in begins:
        if begin < reached:
            continue
        reached = closed.get(text.rfind("{", 0, begin), len(text))
        names = _NAMED.finditer(text, begin, reached)
        if (first := next((each.end() for each in names if _hides(each["name"])), None)) is not None:
            yield first, reached


def _url_passwords(text: str) -> Iterator[tuple[int, int]]:
    """Whatever stands between `://user:` and the last `@`: a password may hold what no URL can."""
    for run in _RUN.finditer(text) if "://" in text else ():
        at = text.rfind("@", *run.span())
        begins = text.find("://", run.start(), max(at, run.start()))
        while begins >= 0:
            if user := _USER.match(text, begins + 3, at):
                yield user.end(), at
                break
            begins = text.find("://", begins + 3, at)


def _hidden(text: str) -> str:
    """A mask of one length for each stretch of the text between references without default, which stay."""
    return "".join(part if _REFERENCE.fullmatch(part) else MASK for part in _PARTS.split(text) if part)


def _first_secret(line: str) -> int | None:
    """Where the value of the first secret-looking name of a line starts."""
    return next((found.end() for found in _NAMED.finditer(line) if _hides(found["name"])), None)


def _continued(lines: list[str]) -> frozenset[int]:
    """The lines, by index, that go on with what a line before them began under a secret-looking name: in quotes, or in
    brackets, where no indentation tells."""
    found: list[int] = []
    ends = ""
    for index, line in enumerate(lines):
        begun = ends and not (ends == _PLAIN_ENDS and _begins_anew(line))
        if begun:
            found.append(index)
        if not begun or any(end in line for end in ends):
            ends = _ends_of_open(line)
    return frozenset(found)


def _begins_anew(line: str) -> bool:
    body = line.lstrip(" -?[]{},\"'")
    return line.lstrip().startswith(("- ", "#")) or _NAMED.match(body) is not None


def _ends_of_open(line: str) -> str:
    """What ends the value of the last secret-looking name of a line, where it goes on after that; empty elsewhere."""
    names = [found for found in _NAMED.finditer(line) if _hides(found["name"])]
    value = line[names[-1].end() :] if names else ""
    if value[:1] in ('"', "'"):
        return "" if value.find(value[0], 1) > 0 else value[:1]
    return _PLAIN_ENDS if value and not any(end in value for end in _PLAIN_ENDS) else ""


def _key_lines(lines: list[str]) -> frozenset[int]:
    """The lines, by index, that stand between those that begin and end a private key."""
    found: list[int] = []
    inside = False
    for index, line in enumerate(lines):
        if inside:
            found.append(index)
        edges = _EDGE.findall(line)
        if edges:
            inside = edges[-1] == "BEGIN"
    return frozenset(found)


def _parents(lines: Iterable[str]) -> list[int | None]:
    """For each line the index of the line that contains it by indentation."""
    parents: list[int | None] = []
    open_lines: list[tuple[int, bool, int]] = []
    for index, line in enumerate(lines):
        depth, item = _depth(line)
        if line.strip():
            while open_lines and not (open_lines[-1][0] < depth or (open_lines[-1][:2] == (depth, False) and item)):
                open_lines.pop()
        parents.append(open_lines[-1][2] if open_lines else None)
        if line.strip() and not line.lstrip().startswith("#"):
            open_lines.append((depth, item, index))
    return parents


def _depth(line: str) -> tuple[int, bool]:
    body = line.lstrip(" ")
    return len(line) - len(body), body.startswith("- ")
