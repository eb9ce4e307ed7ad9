"""Holds settings against their JSON Schemas: what does not fit is told at its place and left out."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from typing import Any, cast

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.protocols import Validator
from oneiric.secrecy.names import secret_name

from oneiric_compiler.diagnostics.edits import listing, quoting, renaming, selecting, writing
from oneiric_compiler.diagnostics.found import Diagnostics, did_you_mean, nearest
from oneiric_compiler.resources import schemas
from oneiric_compiler.settings.documents import Document, Path_, Value
from oneiric_compiler.tables.entries import OF_ONE_DOMAIN
from oneiric_compiler.text.redact import MASK, masked

KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}

_SWITCHES = {"yes": True, "on": True, "1": True, "no": False, "off": False, "0": False}
"""What other readers of YAML, and people, take for true or false."""


@cache
def validator(name: str, definition: str | None = None) -> Validator:
    """The validator of a schema file, or of one of its definitions."""
    text = (schemas() / f"{name}.schema.json").read_text("utf-8")
    schema = json.loads(text, object_hook=_strict)
    if definition is not None:
        schema = {**schema["$defs"][definition], "$defs": schema["$defs"]}
    return Draft202012Validator(schema, format_checker=_FORMATS)


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as meant: to Python, `$` also matches before a last newline, and 1.0 is an integer to JSON."""
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and pattern.endswith("$"):
        schema["pattern"] = f"{pattern[:-1]}\\Z"
    if schema.get("type") == "integer":
        schema["format"] = "integer"
    return schema


def _is_python_name(value: object) -> bool:
    """Whether every part of `package.module:Name` can stand in Python source."""
    return not isinstance(value, str) or not any(keyword.iskeyword(part) for part in re.split("[!.:]", value))


def _is_whole(value: object) -> bool:
    return not isinstance(value, float)


_FORMATS = FormatChecker(formats=())
for _format in ("python-name", "python-reference"):
    _FORMATS.checks(_format)(_is_python_name)
_FORMATS.checks("integer")(_is_whole)


def conform(document: Document, name: str, diagnostics: Diagnostics) -> Value:
    """The part of a document's value that fits the schema `name`; all else is `unread`, and the document `broken`."""
    if document.value is None and name != "app":
        return None
    errors = list(validator(name).iter_errors(document.value))
    for error in errors:
        if tuple(error.absolute_path) not in document.unread:
            report(error, document, diagnostics)
    document.broken = document.broken or bool(errors)
    document.unread.update(path for error in errors for path in _unfit(error))
    return without(document.value, document.unread)


def report(error: ValidationError, document: Document, diagnostics: Diagnostics) -> None:
    """Tells one violation as diagnostics."""
    path: Path_ = tuple(error.absolute_path)
    rule: Any = error.validator_value
    schema = cast("dict[str, Any]", error.schema)
    name = _named(path)
    if error.validator == "additionalProperties":
        known = _properties(error)
        for extra in _extras(error):
            place = document.place(*path, extra, of_key=True)
            help = _elsewhere(extra, known) or _as_selection(extra, error, document)
            help = help or did_you_mean(extra, known if nearest(extra, known) else known.keys() - OF_ONE_DOMAIN)
            diagnostics.add("ONE110", f"unknown key `{extra}`", place, help=help)
    elif error.validator == "required":
        for name in cast("list[str]", rule):
            if name not in cast("dict[str, Value]", error.instance):
                help = _described(schema["properties"][name])
                diagnostics.add("ONE113", f"`{name}` is missing", document.place(*path), help=help)
    elif error.validator == "maxLength":
        is_key = "propertyNames" in error.absolute_schema_path
        place = document.place(*path, str(error.instance), of_key=True) if is_key else document.place(*path)
        message = f"a name of {len(str(error.instance))} characters, of at most {rule}"
        diagnostics.add("ONE114", message, place, help="shorten it: names become names of files")
    elif "propertyNames" in error.absolute_schema_path:
        place = document.place(*path, str(error.instance), of_key=True)
        message = f"`{shortened(error.instance)}` is not a valid name here"
        diagnostics.add("ONE114", message, place, help=_described(schema))
    elif error.validator in ("pattern", "format") and "string" in schema["type"]:
        message = f"{name} cannot be `{_shown(path, error.instance)}`"
        near = None if _secret(path) else _reference(str(error.instance)) if ":" in schema.get("pattern", "") else None
        help = renaming(f"did you mean `{near}`?", str(error.instance), near) if near else _described(schema)
        diagnostics.add("ONE114", message, document.place(*path), help=help)
    elif error.validator in ("minimum", "maximum"):
        word = "less" if error.validator == "minimum" else "more"
        message = f"{name} is {error.instance}, {word} than {rule}"
        help = f"from {schema['minimum']} to {schema['maximum']}"
        diagnostics.add("ONE112", message, document.place(*path), help=help)
    elif error.validator == "enum":
        help = did_you_mean(str(error.instance), map(str, rule))
        wrong = error.instance if isinstance(error.instance, str) else json.dumps(error.instance)
        diagnostics.add("ONE111", f"{name} cannot be `{_shown(path, wrong)}`", document.place(*path), help=help)
    else:
        diagnostics.add("ONE111", _wrong_shape(error, path), document.place(*path), help=_reshaped(error))


def _elsewhere(key: str, known: Collection[str]) -> str | None:
    """Where a section of a profile or tenant was meant that a domain's file does not have."""
    if key == "unbind" and "selections" in known:
        return "only a profile or a tenant takes keys away: put it under their section, such as `tasks: {unbind: …}`"
    return None


def _as_selection(key: str, error: ValidationError, document: Document) -> str | None:
    """The selection that `key: provider` at the top of a domain's file was meant as."""
    known, provider = _properties(error), cast("dict[str, Value]", error.instance)[key]
    if "selections" not in known or not isinstance(provider, str) or nearest(key, known) or secret_name(key):
        return None
    of_key, of_value = document.spans[(*error.absolute_path, key)]
    entry = of_key._replace(end_line=of_value.end_line, end_column=of_value.end_column)
    return selecting(f"did you mean `selections: {{{shortened(key)}: {shortened(provider)}}}`?", entry)


def _reference(text: str) -> str | None:
    """`module:Name`, where that is what the text meant: with a space, a dot for the colon, or a file's path."""
    module, _, name = re.sub(r"\s*:\s*", ":", text.strip()).rpartition(":" if ":" in text else ".")
    found = f"{module.removesuffix('.py').replace('/', '.')}:{name}"
    return found if found != text and all(map(_can_be_name, re.split("[.:]", found))) else None


def _can_be_name(part: str) -> bool:
    return part.isidentifier() and not keyword.iskeyword(part)


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
    name = _named(path)
    if error.validator in ("type", "format"):
        kinds: Any = cast("dict[str, Any]", error.schema)["type"]
        wanted = [KINDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
        kind = _kind(error.instance) if path or error.instance is not None else "empty"
        return f"{name} is {kind}, not {' or '.join(wanted)}"
    if error.validator == "uniqueItems":
        return f"{name} lists something twice"
    return f"{name} is empty"


def _reshaped(error: ValidationError) -> str | None:
    """What to do about a value of the wrong shape."""
    if error.validator == "uniqueItems":
        return "remove one of the two"
    if error.validator not in ("type", "format"):
        return "fill it in or remove it"
    wanted = cast("dict[str, Any]", error.schema)["type"]
    path = tuple(error.absolute_path)
    if error.instance is None and "selections" in path[:-1]:
        return f"name a provider; in a profile or for a tenant `unbind: [{shortened(path[-1])}]` takes the key away"
    if "string" in wanted and isinstance(error.instance, (bool, int, float)):
        return quoting("put it in quotes")
    if wanted == "boolean" and str(error.instance).lower() in _SWITCHES:
        meant = str(_SWITCHES[str(error.instance).lower()]).lower()
        return writing(f"write `{meant}`", str(error.instance), meant)
    if "array" in wanted and isinstance(error.instance, str):
        return listing(f"write a list: `[{_shown(tuple(error.absolute_path), error.instance)}]`")
    schema = cast("dict[str, Any]", error.schema)
    if "minimum" in schema:
        kind = "whole number" if wanted == "integer" else "number"
        return f"a {kind} from {schema['minimum']} to {schema['maximum']}"
    return _described(schema) or "write `name: value` pairs"


def _described(schema: dict[str, Any]) -> str | None:
    """What the schema says of a value, as a help."""
    text: str = schema.get("description", "")
    return text[:1].lower() + text[1:].rstrip(".") or None


def shortened(value: object) -> str:
    """A value as a message can name it, masked whole: half of a URL no longer shows that it holds a password."""
    return text if len(text := masked(str(value))) <= 60 else f"{text[:57]}..."


def _shown(path: Path_, value: object) -> str:
    return MASK if _secret(path) else shortened(value)


def _secret(path: Path_) -> bool:
    """Whether what stands there has a name of secrets: then it may be one, wherever it got."""
    names = [part for part in path if isinstance(part, str)]
    return bool(names) and secret_name(names[-1])


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    for kind, word in (
        (type(None), "null"),
        (str, "text"),
        (int, "an integer"),
        (float, "a number"),
        (list, "a list"),
    ):
        if isinstance(value, kind):
            return word
    return "a mapping"


def _named(path: Path_) -> str:
    names = [part for part in path if isinstance(part, str)]
    if not names:
        return "the file"
    return f"`{names[-1]}`" if path[-1] == names[-1] else f"an item of `{names[-1]}`"


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
