"""What may stand at a place of a settings file, by the project's schemas, at the path that the parser finds there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, cast

from oneiric_compiler.diagnostics.found import Diagnostics, Source, Span
from oneiric_compiler.editor.builtin_schemas import Schema
from oneiric_compiler.editor.project_schemas import schema_of
from oneiric_compiler.editor.view import View
from oneiric_compiler.settings.documents import Path_, parse_document

_CURSOR = "oneiric-cursor"
_BEFORE = re.compile(r"[\w./:-]*\Z")
_BEHIND = re.compile(r"[\w./-]*")
_VALUE = re.compile(r"""[^\s#].*:\s+["']?\Z""")


class Proposal(NamedTuple):
    """A name or value that may stand there, from `start` on (a column, from 1), and what is said of it."""

    text: str
    start: int
    end: int
    told: str = ""


def proposals(view: View, source: Source, line: int, column: int) -> list[Proposal]:
    """What may stand at a place, counted from 1."""
    schema = view.schemas.get(schema_of(source.path.removeprefix("settings/")))
    if schema is None:
        return []
    text = source.line(line)
    before = text[: column - 1]
    word = _BEFORE.search(before)
    start = word.start() if word else column - 1
    behind = _BEHIND.match(text, column - 1)
    end = behind.end() if behind else column - 1
    is_value = _VALUE.search(before[:start]) is not None
    ways = [_CURSOR] if is_value else [_CURSOR if text[end:].startswith(":") else f"{_CURSOR}: null", _CURSOR]
    found: dict[str, str] = {}
    for way in ways:
        written = f"{text[:start]}{way}{text[end:]}"
        for path, is_key in _paths(source, line, written):
            for at in _at(schema, schema, path[:-1] if is_key else path):
                found |= dict(_names(schema, at) if is_key else _values(schema, at))
    return [Proposal(name, start + 1, end + 1, told) for name, told in sorted(found.items())]


def _paths(source: Source, line: int, written: str) -> Iterator[tuple[Path_, bool]]:
    """Where the cursor stands in a document in which a line is written so: in a key, or in a value."""
    lines = source.text.split("\n")
    changed = Source(source.path, "\n".join([*lines[: line - 1], written, *lines[line:]]))
    document = parse_document(changed, Diagnostics())
    for path, (of_key, of_value) in document.spans.items():
        if path and path[-1] == _CURSOR and _reads(of_key):
            yield path, True
        elif _reads(of_value):
            yield path, False


def _reads(span: Span) -> bool:
    text = span.source.line(span.line)[span.column - 1 : span.end_column - 1] if span.line == span.end_line else ""
    return text.strip("\"'") == _CURSOR


def _at(root: Schema, schema: Schema, path: Path_) -> Iterator[Schema]:
    """The schemas of what is at a path."""
    for each in _flat(root, schema):
        if not path:
            yield each
            continue
        if (inner := _member(each, path[0])) is not None:
            yield from _at(root, inner, path[1:])


def _member(schema: Schema, part: str | int) -> Schema | None:
    """The schema of a member by name, or of an item."""
    known: Schema = schema.get("properties", {})
    found = schema.get("items") if isinstance(part, int) else known.get(part) or schema.get("additionalProperties")
    return cast("Schema", found) if isinstance(found, dict) else None


def _flat(root: Schema, schema: Schema) -> Iterator[Schema]:
    """A schema, and those that it refers to or is any or all of."""
    yield schema
    reference = str(schema.get("$ref", ""))
    if reference.startswith("#/$defs/"):
        yield from _flat(root, root["$defs"][reference.removeprefix("#/$defs/")])
    for word in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(word, ()):
            yield from _flat(root, each)


def _names(root: Schema, schema: Schema) -> Iterator[tuple[str, str]]:
    for name, inner in schema.get("properties", {}).items():
        yield name, _told(_flat(root, inner))


def _values(root: Schema, schema: Schema) -> Iterator[tuple[str, str]]:
    for each in _flat(root, schema):
        for value in (*each.get("enum", ()), *((each["const"],) if "const" in each else ())):
            yield (str(value).lower() if isinstance(value, bool) else str(value)), ""
        if each.get("type") == "boolean":
            yield from (("true", ""), ("false", ""))


def _told(schemas: Iterable[Schema]) -> str:
    return next((str(each["description"]) for each in schemas if "description" in each), "")
