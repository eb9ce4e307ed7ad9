"""The tables in the pages of the ports, made from the schemas: `python -m oneiric_compiler.pages.ports docs/ports`.

A table stands between `<!-- providers of PORT -->`, or `<!-- settings of PORT/PROVIDER -->`, and `<!-- end -->`.
Several providers that have the same settings share a table. All else of a page is written by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from oneiric_compiler.editor.builtin_schemas import Schema, settings_schemas

_TABLE = re.compile(r"(<!-- (providers|settings) of ([a-z0-9/, -]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str) -> str:
    """The page with its tables made anew."""
    schemas = {name.removesuffix(".schema.json"): json.loads(text) for name, text in settings_schemas().items()}

    def table(found: re.Match[str]) -> str:
        begin, what, of, end = found.groups()
        if what == "providers":
            rows = _providers({name: schema for name, schema in schemas.items() if name.startswith(f"{of}/")})
        else:
            first, *others = (schemas[name]["properties"] for name in of.split(", "))
            assert all(other == first for other in others), f"they have different settings: {of}"
            rows = _settings(first)
        lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
        return f"{begin}\n{lines}\n{end}"

    return _TABLE.sub(table, page)


def _providers(schemas: dict[str, Schema]) -> Iterator[tuple[str, ...]]:
    yield "provider", "capabilities", "stack level", "needs"
    yield ("---",) * 4
    for name, schema in sorted(schemas.items(), key=lambda each: (-each[1]["x-stack-level"], each[0])):
        level = schema["x-stack-level"]
        yield (
            f"`{name.partition('/')[2]}`",
            ", ".join(f"`{each}`" for each in schema["x-capabilities"]),
            f"\N{MINUS SIGN}{-level}" + (", the default" if level == -10 else ""),
            schema["x-needs"] or "nothing",
        )


def _settings(properties: Schema) -> Iterator[tuple[str, ...]]:
    yield "setting", "type", "default", "meaning"
    yield ("---",) * 4
    for name, schema in properties.items():
        default = f"`{_shown(schema['default'])}`" if "default" in schema else "required"
        yield f"`{name}`", _type(schema), default, schema["description"].removesuffix(".").replace("|", "\\|")


def _shown(value: Any) -> str:
    """As one writes it in YAML."""
    return value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else json.dumps(value)


def _type(schema: Schema) -> str:
    """What a setting takes in words, besides references, and null where that is the default."""
    kinds = [_kind(each) for each in schema.get("anyOf", [schema])]
    left = [kind for kind in kinds if kind != "null" or schema.get("default", "") is not None]
    return " or ".join(kind for kind in left if kind != "secret" or left == ["secret"])


def _kind(schema: Schema) -> str:
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "$ref" in schema:
        return "secret"  # a reference, where nothing else is taken
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    if schema["type"] == "object":
        return f"mapping to {_type(schema['additionalProperties'])}"
    return "text" if schema["type"] == "string" else str(schema["type"])


if __name__ == "__main__":
    for path in Path(sys.argv[1]).glob("*.md"):
        path.write_text(filled(path.read_text("utf-8")), "utf-8")
