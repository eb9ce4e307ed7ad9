"""Parts of the JSON Schemas that are made from the tables of options and tiers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from oneiric_compiler.tables.options import EMITTED, OPTIONS, Schema
from oneiric_compiler.tables.tiers import ALONE, FILTERS, RANKS, TIERS


def with_tables(folder: Path) -> dict[Path, str]:
    """The schemas that have such parts, with these made again."""
    paths = {folder / f"{name}.schema.json": maker for name, maker in _MAKERS.items()}
    return {path: _made(path.read_text("utf-8"), maker) for path, maker in paths.items()}


def _made(text: str, maker: Callable[[Schema], None]) -> str:
    schema: Schema = json.loads(text)
    maker(schema)
    return json.dumps(schema, indent=2) + "\n"


def _component(schema: Schema) -> None:
    schema["$defs"]["component"]["properties"] |= {option.name: option.schema for option in OPTIONS}


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


_MAKERS: Mapping[str, Callable[[Schema], None]] = {
    "domain": _component,
    "overlay": _component,
    "manifest": _manifest,
    "remote": _remote,
    "explain": _explain,
}


def _bounds(bound: int) -> Schema:
    return {"type": "integer", "minimum": -bound, "maximum": bound}


def _reported(schema: Schema) -> Schema:
    """What a reader may count on: the kind of value."""
    return {"type": "array", "items": {"type": "string"}} if schema["type"] == "array" else {"type": schema["type"]}
