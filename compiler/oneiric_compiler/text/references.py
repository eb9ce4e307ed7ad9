"""References in texts: what one says, and where it ends, for all who read references or hide them.

`${NAME}`, `${NAME:-default}`, whose default may hold references, and `${NAME:?why}`. `$${` is a plain `${`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

MAX_DEPTH = 16
"""How many references may stand in each other."""

_BRACES = re.compile(r"\$\$\{|[{}]")
_REFERENCE = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<ends>:-|:\?|\}))?")
_WRITE = "write ${NAME} or ${NAME:-default}; `$${` is a plain `${`"


class Reference(NamedTuple):
    """`${name}`; with the parts of a `default`, or with `why` it has to be set and not empty."""

    name: str
    default: tuple[Part, ...] | None = None
    why: str | None = None


Part: TypeAlias = "str | Reference"


class Malformed(ValueError):
    """A text that is no reference and cannot stand as it is: what is wrong, and what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.message, self.help = message, help


def closings(text: str) -> dict[int, int]:
    """The place of each brace that opens, to that of the one that closes it; `$${` opens none. One pass."""
    closed: dict[int, int] = {}
    opened: list[int] = []
    for brace in _BRACES.finditer(text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            closed[opened.pop()] = brace.start()
    return closed


def parse(text: str) -> tuple[Part, ...]:
    """Literal stretches and references, in order; adjacent literals are joined. Raises `Malformed`."""
    return _parts(text, ()) or ("",)


def references_in(parts: tuple[Part, ...]) -> Iterator[Reference]:
    """The references among the parts and in their defaults, each before those in it."""
    for part in parts:
        if isinstance(part, Reference):
            yield part
            yield from references_in(part.default or ())


def _parts(text: str, around: tuple[str, ...]) -> tuple[Part, ...]:
    """The parts of a text that stands in the defaults of the variables `around` it."""
    parts: list[Part] = []
    closed = closings(text) if "${" in text else {}
    literal, position = "", 0
    while match := _REFERENCE.search(text, position):
        literal += text[position : match.start()]
        position = match.end()
        if match[0] == "$${":
            literal += "${"
            continue
        end = closed.get(match.start() + 1)
        reference = _reference(match, None if end is None else text[position:end], around)
        if match["ends"] != "}" and end is not None:
            position = end + 1
        parts.extend([literal, reference] if literal else [reference])
        literal = ""
    literal += text[position:]
    return (*parts, literal) if literal else tuple(parts)


def _reference(match: re.Match[str], rest: str | None, around: tuple[str, ...]) -> Reference:
    """The reference that a match begins; `rest` is what follows of it, None where nothing closes it."""
    name, ends = match["name"], match["ends"]
    if name is None:
        raise Malformed("`${` does not begin a reference", _WRITE)
    if name in around:
        raise Malformed(f"`{name}` stands in its own default", "name another variable there, or write a value")
    if len(around) >= MAX_DEPTH:
        raise Malformed(f"more than {MAX_DEPTH} references stand in each other", "name fewer variables")
    if ends == "}":
        return Reference(name)
    if rest is None:
        what = "default" if ends == ":-" else "reason"
        help = f"close it with `}}`: the braces within a {what} balance"
        raise Malformed(f"the {what} of `{name}` is not closed", help)
    if ends == ":-":
        return Reference(name, _parts(rest, (*around, name)))
    plain = rest.split("$${")
    if any("${" in each for each in plain):
        raise Malformed(f"the reason of `{name}` holds a reference", "a reason is plain text: `$${` is a plain `${`")
    return Reference(name, why="${".join(plain))
