"""What is behind a text that does not parse: a merge that was not finished, a path of Windows, a tab."""

from __future__ import annotations

import re
from collections.abc import Iterator

from oneiric_compiler.diagnostics.found import Diagnostics, Source, Span

_MARKER = re.compile(r"^(<{7}|>{7})(?: [^\n]*)?$", re.MULTILINE)
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[^xuU])", re.DOTALL)
_INDENT = "check the indentation, and put text in quotes that holds `: ` or starts with a sign"
_IN_BRACKETS = 'within brackets put a reference in quotes: `{name: "${NAME}"}`'
_BACKSLASH = "put the text in single quotes, where a backslash is nothing but that"


def tell_conflicts(source: Source, diagnostics: Diagnostics) -> bool:
    """Reports each merge conflict that is left in a text; whether there is one."""
    found = list(conflicts(source))
    for begin, end in found:
        help = "keep what should stand, and remove the lines of `<<<<<<<`, `=======` and `>>>>>>>`"
        diagnostics.add("ONE108", "a merge conflict is not resolved", begin, help=help, related=[("it ends here", end)])
    return bool(found)


def conflicts(source: Source) -> Iterator[tuple[Span, Span]]:
    """The first and the last line of each merge conflict in a text."""
    begin: Span | None = None
    for found in _MARKER.finditer(source.text) if "\n>>>>>>>" in source.text else ():
        line = source.text.count("\n", 0, found.start()) + 1
        span = Span(source, line, 1, line, len(found[0].rstrip()) + 1)
        if found[1].startswith("<"):
            begin = begin or span
        elif begin is not None:
            yield begin, span
            begin = None


def explained(source: Source, problem: str, context: str, begin: Span | None, at: Span) -> tuple[str, Span, str]:
    """What is wrong, where, and what to do about it: of a problem that the YAML parser found in a `context`."""
    if "quoted scalar" in context and begin is not None and (escape := _bad_escape(source, begin, at)):
        letter, place = escape
        return f"in double quotes `\\{letter}` begins an escape that YAML does not have", place, _BACKSLASH
    if "tag" in context:
        return problem, at, "put text that starts with `!` in quotes"
    if "\t" in source.line(at.line):
        return problem, at, "indent with spaces, not tabs"
    if "flow" in context and "${" in source.line(at.line):
        return problem, at, _IN_BRACKETS
    return problem, at, _INDENT


def _bad_escape(source: Source, begin: Span, at: Span) -> tuple[str, Span] | None:
    """The escape in a quoted text that the parser stopped at: the last backslash before it that begins none."""
    line = source.line(at.line)
    position = begin.column if begin.line == at.line else 0
    while (position := line.find("\\", position)) >= 0 and position < at.column:
        good = _ESCAPE.match(line, position)
        if good is None or good.end() >= at.column:
            return line[position + 1 : position + 2], Span(source, at.line, position + 1, at.line, position + 3)
        position = good.end()
    return None
