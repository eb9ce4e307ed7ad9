"""Holds settings against their JSON Schemas: what does not fit is told at its place and left out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, cast

from jsonschema import Draft202012Validator, ValidationError

from oneiric_compiler.diagnostics import Diagnostics, did_you_mean
from oneiric_compiler.documents import Document, Path_, Value
from oneiric_compiler.resources import schemas

KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "an integer",
    "boolean": "true or false",
    "null": "nothing",
}


@cache
def validator(name: str, definition: str | None = None) -> Draft202012Validator:
    """The validator of a schema file, or of one of its definitions."""
    schema = json.loads((schemas() / f"{name}.schema.json").read_text("utf-8"))
    return Draft202012Validator(schema if definition is None else schema["$defs"][definition])


def conform(document: Document, name: str, diagnostics: Diagnostics) -> Value:
    """The part of a document's value that fits the schema `name`; the document is `broken` when that is not all."""
    if document.value is None and name != "app":
        return None
    errors = list(validator(name).iter_errors(document.value))
    for error in errors:
        report(error, document, diagnostics)
    document.broken = document.broken or bool(errors)
    return without(document.value, {path for error in errors for path in _unfit(error)})


def report(error: ValidationError, document: Document, diagnostics: Diagnostics, at: Path_ = ()) -> None:
    """Tells one violation as diagnostics; `at` is where the validated value stands in the document."""
    path = (*at, *error.absolute_path)
    rule: Any = error.validator_value
    last = str(path[-1]) if path else document.source.path
    if error.validator == "additionalProperties":
        known = _properties(error)
        for extra in _extras(error):
            place = document.place(*path, extra, of_key=True)
            diagnostics.add("ONE110", f"unknown key `{extra}`", place, help=did_you_mean(extra, known))
    elif error.validator == "required":
        for name in rule:
            if name not in cast("dict[str, Value]", error.instance):
                diagnostics.add("ONE113", f"`{name}` is missing", document.place(*path))
    elif "propertyNames" in error.absolute_schema_path:
        place = document.place(*path, str(error.instance), of_key=True)
        diagnostics.add("ONE114", f"`{error.instance}` is no name that can stand here", place)
    elif error.validator == "pattern":
        diagnostics.add(
            "ONE114", f"`{error.instance}` is not of the form that `{_field(path)}` takes", document.place(*path)
        )
    elif error.validator in ("minimum", "maximum"):
        word = "less" if error.validator == "minimum" else "more"
        message = f"`{last}` is {error.instance}, {word} than {rule}"
        diagnostics.add("ONE112", message, document.place(*path))
    elif error.validator == "enum":
        help = did_you_mean(str(error.instance), map(str, rule))
        diagnostics.add("ONE111", f"`{last}` cannot be `{error.instance}`", document.place(*path), help=help)
    else:
        diagnostics.add("ONE111", _wrong_shape(error, path), document.place(*path))


def without(value: Value, paths: Iterable[Path_]) -> Value:
    """A copy of `value` less what stands at `paths`."""
    dropped = set(paths)

    def keep(part: Value, path: Path_) -> Value:
        if isinstance(part, dict):
            return {k: keep(v, (*path, k)) for k, v in part.items() if (*path, k) not in dropped}
        if isinstance(part, list):
            return [None if (*path, i) in dropped else keep(v, (*path, i)) for i, v in enumerate(part)]
        return part

    return None if () in dropped else keep(value, ()) if dropped else value


def _wrong_shape(error: ValidationError, path: Path_) -> str:
    name = f"`{_field(path)}`" if path else "the file"
    if error.validator == "type":
        kinds: Any = error.validator_value
        wanted = [KINDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
        return f"{name} is {_described(error.instance)}, not {' or '.join(wanted)}"
    if error.validator == "uniqueItems":
        return f"{name} lists something twice"
    return f"{name} is empty"


def _described(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    for kind, word in (
        (type(None), "nothing"),
        (str, "text"),
        (int, "an integer"),
        (float, "a number"),
        (list, "a list"),
    ):
        if isinstance(value, kind):
            return word
    return "a mapping"


def _field(path: Path_) -> str:
    names = [part for part in path if isinstance(part, str)]
    return names[-1] if names else "it"


def _extras(error: ValidationError) -> Iterator[str]:
    known, instance = _properties(error), cast("dict[str, Value]", error.instance)
    return (key for key in instance if key not in known)


def _properties(error: ValidationError) -> dict[str, Any]:
    schema = cast("dict[str, dict[str, Any]]", error.schema)
    return schema.get("properties", {})


def _unfit(error: ValidationError) -> Iterator[Path_]:
    path: Path_ = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        yield from ((*path, extra) for extra in _extras(error))
    elif "propertyNames" in error.absolute_schema_path:
        yield (*path, str(error.instance))
    elif error.validator != "required" or path:
        yield path
