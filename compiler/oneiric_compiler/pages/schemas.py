"""Parts of the JSON Schemas that are made from the tables of options and tiers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from oneiric_compiler.tables.entries import section_schemas
from oneiric_compiler.tables.options import EMITTED, KEY_OPTIONS, OPTIONS, Schema
from oneiric_compiler.tables.tiers import ALONE, FILTERS, RANKS, TIERS


def with_tables(folder: Path) -> dict[Path, str]:
    """The schemas that have such parts, with these made again."""
    paths = {folder / f"{name}.schema.json": maker for name, maker in _MAKERS.items()}
    return {path: _made(path.read_text("utf-8"), maker) for path, maker in paths.items()}


def _made(text: str, maker: Callable[[Schema], None]) -> str:
    schema: Schema = json.loads(text)
    maker(schema)
    return json.dumps(schema, indent=2) + "\n"


def _domain(schema: Schema) -> None:
    section, component = (schema["$defs"][name]["properties"] for name in ("section", "component"))
    component |= {option.name: option.schema for option in OPTIONS}
    declared = schema["$defs"]["component"]
    for branch in ("then", "else"):
        told = {name: {"description": component[name]["description"]} for name in declared[branch]["required"]}
        declared[branch]["properties"] = told
    names = section["selections"]["propertyNames"]
    for option in KEY_OPTIONS:
        keys = {"type": ["object", "null"], "propertyNames": names, "additionalProperties": option.schema}
        section[option.name] = {"description": option.described, **keys}
    section |= section_schemas()


def _manifest(schema: Schema) -> None:
    options = {option.name: option.in_manifests or option.schema for option in OPTIONS}
    schema["$defs"]["entry"]["properties"] |= options


def _remote(schema: Schema) -> None:
    ceilings = {rank.fact: {**_bounds(rank.bound), "default": rank.ceiling} for rank in RANKS}
    schema["$defs"]["source"]["properties"]["ceiling"]["properties"] = ceilings


def _explain(schema: Schema) -> None:
    definitions = schema["$defs"]
    definitions["rule"]["enum"] = [ALONE, *TIERS]
    definitions["filter"]["enum"] = [*FILTERS, "trust"]
    candidate, binding = (definitions[name]["properties"] for name in ("candidate", "binding"))
    candidate |= {rank.fact: _bounds(rank.bound) for rank in RANKS}
    candidate |= {option.name: _reported(option.schema) for option in OPTIONS if option.reported}
    for option in EMITTED:
        told = "Checked at activation: no target was set." if option.targeted else option.schema["description"]
        found = {"const": not option.default} if isinstance(option.default, bool) else _reported(option.schema)
        least = {"minItems": 1} if option.schema["type"] == "array" else {}
        binding[option.emitted] = {"description": told, **found, **least}
    stated: Schema = {}
    for each in KEY_OPTIONS:
        others = [value for value in each.values if value != each.default]
        const: Schema = {"const": others[0]} if len(others) == 1 else {"enum": others}
        binding[each.name] = {"description": each.schema["description"], **const}
        place = {"$ref": "#/$defs/place"}
        stated[each.name] = {
            "type": "object",
            "required": ["value", "from"],
            "properties": {"value": each.schema, "from": place},
        }
    told = "What the settings state of how the key is activated, whatever serves it, and where. Absent where nothing."
    binding["options"] = {"description": told, "type": "object", "properties": stated}


_MAKERS: Mapping[str, Callable[[Schema], None]] = {
    "domain": _domain,
    "overlay": _domain,
    "manifest": _manifest,
    "remote": _remote,
    "explain": _explain,
}


def _bounds(bound: int) -> Schema:
    return {"type": "integer", "minimum": -bound, "maximum": bound}


def _reported(schema: Schema) -> Schema:
    """What a reader may count on: the kind of value."""
    return {"type": "array", "items": {"type": "string"}} if schema["type"] == "array" else {"type": schema["type"]}
