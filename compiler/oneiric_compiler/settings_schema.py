"""JSON Schemas of the built-in providers' settings, made from their signatures; editors and readers use them.

    python -m oneiric_compiler.settings_schema schemas/settings

No field is `required`: another layer, such as a profile, may be the one that sets it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from oneiric_compiler.annotations import AnyOf, Choice, Enumeration, Many, Scalar, Type
from oneiric_compiler.catalog import catalog
from oneiric_compiler.diagnostics import Diagnostics
from oneiric_compiler.model import App, Candidate, Overrides, Settings
from oneiric_compiler.read import Project

Schema: TypeAlias = dict[str, Any]

REFERENCE: Schema = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"}
_SCALARS: Mapping[str, Schema] = {
    "str": {"type": "string"},
    "int": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/reference"}]},
    "float": {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/reference"}]},
    "bool": {"anyOf": [{"type": "boolean"}, {"$ref": "#/$defs/reference"}]},
    "None": {"type": "null"},
    "Path": {"type": "string"},
    "Secret": {"$ref": "#/$defs/reference"},
    "Any": {},
}


def settings_schemas() -> dict[str, str]:
    """The schema of every built-in provider's settings, by path: `KEY/PROVIDER.schema.json`."""
    nothing = Settings(App(source_roots=()), {}, {}, {}, Overrides(), {}, {})
    found, _ = catalog(Project(Path(), Path(), {}), nothing, Diagnostics())
    return {
        f"{key.name}/{candidate.provider}.schema.json": json.dumps(settings_schema(candidate), indent=2) + "\n"
        for key, candidates in sorted(found.base.items())
        for candidate in candidates
    }


def settings_schema(candidate: Candidate) -> Schema:
    """The JSON Schema (2020-12) of what `provider_settings` may give a candidate."""
    parameters = candidate.signature.parameters or {}
    settings = {name: value_schema(each.type) for name, each in parameters.items() if name not in candidate.needs}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"settings/{candidate.key.name}/{candidate.provider}.schema.json",
        "title": f"Oneiric provider settings: {candidate.provider} of {candidate.key}",
        "type": ["object", "null"],
        "additionalProperties": candidate.signature.open,
        "properties": settings,
        "$defs": {"reference": REFERENCE},
    }


def value_schema(type: Type) -> Schema:
    """The JSON Schema of a value that a parameter of this type takes; what is not readable takes anything."""
    if isinstance(type, Scalar):
        return dict(_SCALARS[type.name])
    if isinstance(type, Choice):
        return {"anyOf": [{"enum": list(type.values)}, {"$ref": "#/$defs/reference"}]}
    if isinstance(type, Enumeration):
        return {"anyOf": [{"enum": list(type.members)}, {"$ref": "#/$defs/reference"}]}
    if isinstance(type, AnyOf):
        return {"anyOf": list(_alternatives(type))}
    if isinstance(type, Many):
        item = value_schema(type.item)
        return (
            {"type": "object", "additionalProperties": item}
            if type.kind == "dict"
            else {"type": "array", "items": item}
        )
    return {}


def _alternatives(type: AnyOf) -> Iterator[Schema]:
    """What the members take, each once, without nesting."""
    told: list[Schema] = []
    for member in type.members:
        schema = value_schema(member)
        for each in schema.get("anyOf", [schema]):
            if each not in told:
                told.append(each)
                yield each


def write_settings_schemas(folder: Path) -> None:
    """Writes every schema under `folder` and removes those of providers that are no more."""
    wanted = settings_schemas()
    for path in folder.glob("*/*.schema.json"):
        if path.relative_to(folder).as_posix() not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_settings_schemas(Path(sys.argv[1]))
