"""Templates of workflows, read once more: `${input.id}`, `${nodes['a.b'].x}`, `${reserve.cents:-0}`, `$${` as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

_NAME = re.compile(r"\.?([^.\[\]'\s${}]+)|\[(-?\d+)\]|\['((?:[^'\\]|\\.)*)'\]")


@dataclass(frozen=True, slots=True)
class Named:
    """A reference: what stands between the braces, where it leads, and its default, in a tuple if it has one."""

    text: str
    root: str
    path: tuple[str | int, ...]
    default: tuple[()] | tuple[Any]


def pieces(template: str) -> Iterator[str | Named]:
    """What a text is made of."""
    plain = ""
    while template:
        before, dollars, rest = template.partition("${")
        if dollars and before.endswith("$"):
            plain, template = f"{plain}{before}{{", rest
        elif dollars:
            if plain + before:
                yield plain + before
            inside = rest[: _length(rest)]
            yield _named(inside)
            plain, template = "", rest[len(inside) + 1 :]
        else:
            plain, template = plain + before, ""
    if plain:
        yield plain


def all_named(template: Any) -> Iterator[Named]:
    """Every reference in a template."""
    if isinstance(template, str):
        yield from (each for each in pieces(template) if isinstance(each, Named))
    elif isinstance(template, (dict, list)):
        inner = cast("dict[str, Any] | list[Any]", template)
        for each in inner.values() if isinstance(inner, dict) else inner:
            yield from all_named(each)


def led(path: str) -> tuple[str | int, ...]:
    """The names and indices of a path."""
    found = (match.groups() for match in _NAME.finditer(path))
    return tuple(
        int(index) if index else name if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        for name, index, quoted in found
    )


def indexed(conditions: Any, roots: Mapping[str, str | int]) -> tuple[Any, set[str | int]]:
    """Conditions with each path as what it leads through, beginning with what `roots` has for its first name; and
    these beginnings."""
    if isinstance(conditions, list):
        found = [indexed(each, roots) for each in cast("Sequence[Any]", conditions)]
        return [each for each, _ in found], set[str | int]().union(*(begins for _, begins in found))
    if not isinstance(conditions, dict):
        return conditions, set()
    stated = cast("dict[str, Any]", conditions)
    if "path" in stated:
        first, *rest = led(stated["path"])
        root = roots.get(str(first), first)
        return {**stated, "path": [root, *rest]}, {root}
    inner = {name: indexed(each, roots) for name, each in stated.items()}
    begins = set[str | int]().union(*(found for _, found in inner.values()))
    return {name: each for name, (each, _) in inner.items()}, begins


def _length(rest: str) -> int:
    """How far it is to the brace that closes."""
    depth = 0
    for at, character in enumerate(rest):
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return at
    return len(rest)


def _named(text: str) -> Named:
    where, stated, default = text.partition(":-")
    root, *path = led(where.removeprefix("nodes") if where.startswith("nodes['") else where)
    return Named(text, str(root), tuple(path), (_default(default),) if stated else ())


def _default(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text


def _no_constant(name: str) -> Any:
    raise ValueError(name)
