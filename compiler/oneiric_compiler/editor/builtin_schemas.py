"""JSON Schemas of the built-in providers' settings, made from their source; editors and the ports' pages use them.

No field is `required`: another level, such as a profile, may be the one that sets it. One without a default has to be
set by somebody. `x-capabilities`, `x-stack-level` and `x-needs` tell of the provider itself.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import App, Candidate, Key, Overrides, Project, Settings
from oneiric_compiler.source.docstrings import Docstring, docstring
from oneiric_compiler.source.modules import Sources, Symbol
from oneiric_compiler.source.types import (
    AnyOf,
    Bounded,
    Choice,
    Enumeration,
    Fixed,
    Many,
    Named,
    Record,
    Scalar,
    Type,
    all_in,
    parts,
)
from oneiric_compiler.stages.catalog import catalog
from oneiric_compiler.tables.forms import FORMS

Schema: TypeAlias = dict[str, Any]

REFERENCE: Schema = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:[-?][^}]*)?\}"}
_SCALARS: Mapping[str, Schema] = {
    "str": {"type": "string"},
    "int": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/reference"}]},
    "float": {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/reference"}]},
    "bool": {"anyOf": [{"type": "boolean"}, {"$ref": "#/$defs/reference"}]},
    "None": {"type": "null"},
    "Path": {"type": "string"},
    "Secret": {"$ref": "#/$defs/reference"},
    "Any": {},
    **{name: {"type": ["string", "number"] if form.numbers else "string"} for name, form in FORMS.items()},
}
_COMPARED = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_BOUNDS = {**_COMPARED, "min_length": "minItems", "max_length": "maxItems"}


def settings_schemas() -> dict[str, str]:
    """The schema of every built-in provider's settings, by path: `NAME.schema.json`."""
    found, sources = builtins_and_sources()
    return {
        f"{name_of(candidate)}.schema.json": json.dumps(settings_schema(sources, candidate), indent=2) + "\n"
        for _, candidates in sorted(found.items())
        for candidate in candidates
    }


def builtins_and_sources() -> tuple[Mapping[Key, Sequence[Candidate]], Sources]:
    """The built-in candidates, by key, and what they are read from."""
    nothing = Settings(App(source_roots=()), {}, {}, {}, Overrides(), {}, {})
    found, sources = catalog(Project(Path(), Path(), {}), nothing, Diagnostics())
    return found.base, sources


def name_of(builtin: Candidate) -> str:
    """`KEY/PROVIDER` of an adapter, `DOMAIN/KEY/PROVIDER` of another: what its schema and its tables go by."""
    domain = "" if builtin.key.domain == "adapter" else f"{builtin.key.domain}/"
    return f"{domain}{builtin.key.name}/{builtin.provider}"


def settings_schema(sources: Sources, candidate: Candidate) -> Schema:
    """The JSON Schema (2020-12) of what `provider_settings` may give a built-in candidate."""
    factory = sources.find(candidate.factory)
    assert factory is not None
    told, defaults = docstring(sources, factory), _defaults(sources, factory)
    parameters = candidate.signature.parameters or {}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"settings/{name_of(candidate)}.schema.json",
        "title": f"Oneiric provider settings: {candidate.provider} of {candidate.key}",
        "description": told.about,
        "x-capabilities": list(candidate.capabilities),
        "x-stack-level": candidate.stack_level,
        "x-needs": told.needs,
        "type": ["object", "null"],
        "additionalProperties": candidate.signature.open,
        "properties": {
            name: {"description": told.settings[name], **value_schema(each.type), **defaults.get(name, {})}
            for name, each in parameters.items()
            if name not in candidate.handed
        },
        "$defs": {
            "reference": REFERENCE,
            **record_schemas(sources, (each.type for each in parameters.values())),
        },
    }


def _defaults(sources: Sources, cls: Symbol) -> dict[str, Schema]:
    """The keyword `default` of each parameter that has one; that of a `Path` is its text."""
    found: dict[str, Schema] = {}
    if "__init__" not in sources.members(cls).by_name:
        return found
    _, init = sources.members(cls).by_name["__init__"]
    assert isinstance(init, ast.FunctionDef)
    for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        if default is not None:
            literal = default.args[0] if isinstance(default, ast.Call) else default
            found[argument.arg] = {"default": ast.literal_eval(literal)}
    return found


def value_schema(type: Type) -> Schema:
    """The JSON Schema of a value that a parameter of this type takes; what is not readable takes anything."""
    if isinstance(type, Scalar):
        return dict(_SCALARS[type.name])
    if isinstance(type, Choice):
        return {"anyOf": [{"enum": list(type.values)}, {"$ref": "#/$defs/reference"}]}
    if isinstance(type, Enumeration):
        return _enumeration(type)
    if isinstance(type, Bounded):
        return {**value_schema(type.inner), **_bounds(type)}
    if isinstance(type, Named):
        return value_schema(type.inner)
    if isinstance(type, Fixed):
        count = len(type.items)
        items = {"prefixItems": list(map(value_schema, type.items))} if count else {}
        return _or_reference({"type": "array", **items, "minItems": count, "maxItems": count})
    if isinstance(type, Record):
        return _or_reference({"$ref": f"#/$defs/{type.reference}"})
    if isinstance(type, AnyOf):
        return {"anyOf": list(_alternatives(type))}
    if isinstance(type, Many):
        item = value_schema(type.item)
        one = {"type": "object", "additionalProperties": item}
        return _or_reference(one if type.kind == "dict" else {"type": "array", "items": item})
    return {}


def _or_reference(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"$ref": "#/$defs/reference"}]}


def _enumeration(type: Enumeration) -> Schema:
    """The members by name and value; several of a flag."""
    values = [each for known in type.values if known is not None for each in (known, str(known))]
    one: Schema = {"enum": list(dict.fromkeys((*type.members, *values)))}
    several: list[Schema] = [{"type": "array", "items": one}, {"type": "string", "pattern": r"\|"}] if type.flag else []
    return {"anyOf": [one, *several, {"$ref": "#/$defs/reference"}]}


def _bounds(type: Bounded) -> Schema:
    """The bounds of numbers and of how many there are; those of texts are not for references, which stand for them."""
    listed = any(isinstance(each, (Many, Fixed)) for each in (type.inner, *parts(type.inner)))
    known = {name: bound for name, bound in type.bounds if isinstance(bound, (int, float))}
    return {_BOUNDS[name]: bound for name, bound in known.items() if name in _COMPARED or (listed and name in _BOUNDS)}


def record_schemas(sources: Sources, types: Iterable[Type]) -> Schema:
    """The classes with fields in the types, by `module:Name`; no field is required, as another level may state it."""
    records = {each.reference: each for type in types for each in all_in(type) if isinstance(each, Record)}
    return {name: _record(sources, each) for name, each in sorted(records.items())}


def _record(sources: Sources, record: Record) -> Schema:
    found = sources.find(record.reference)
    told = docstring(sources, found) if found else Docstring("", "", {})
    return {
        **_described(told.about),
        "type": "object",
        "additionalProperties": False,
        "properties": {
            each.name: {**_described(told.settings.get(each.name)), **value_schema(each.type)} for each in record.fields
        },
    }


def _described(text: str | None) -> Schema:
    return {"description": text} if text else {}


def _alternatives(type: AnyOf) -> Iterator[Schema]:
    """What the members take, each once, without nesting."""
    told: list[Schema] = []
    for member in type.members:
        schema = value_schema(member)
        for each in schema.get("anyOf", [schema]):
            if each not in told:
                told.append(each)
                yield each
