"""The tables in the pages of the ports, and the list of these pages, made from the schemas of the settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from oneiric_compiler.editor.builtin_schemas import Schema
from oneiric_compiler.pages.marked import table
from oneiric_compiler.tables.builtins import DEFAULT_LEVEL


class Ports:
    """The built-in providers by port, from their schemas by `PORT/PROVIDER`; a port that is not of an adapter has its
    domain in front."""

    def __init__(self, schemas: dict[str, Schema]) -> None:
        self._schemas = schemas

    def links(self, _: str) -> str:
        """`<!-- ports -->`: a link from the README to the page of each port of an adapter."""
        ports = {name.rpartition("/")[0] for name in self._schemas if name.count("/") == 1}
        return ", ".join(f"[{port}]({page_of(port)})" for port in sorted(ports))

    def providers(self, port: str) -> str:
        """`<!-- providers of PORT -->`: what each offers and needs, the default first."""
        of_port = {name: schema for name, schema in self._schemas.items() if name.startswith(f"{port}/")}
        assert of_port, f"no built-in serves {port}"
        return table(_providers(of_port))

    def settings(self, names: str) -> str:
        """`<!-- settings of PORT/PROVIDER, PORT/PROVIDER -->`: those of providers that have the same share a table."""
        first, *others = (self._schemas[name]["properties"] for name in names.split(", "))
        assert all(other == first for other in others), f"they have different settings: {names}"
        return table(_settings(first))


def page_of(port: str) -> str:
    """The page of a port: `docs/ports/KEY.md` of an adapter, `docs/DOMAINs/KEY.md` of another."""
    domain, _, key = port.rpartition("/")
    return f"docs/{f'{domain}s' if domain else 'ports'}/{key}.md"


def _providers(schemas: dict[str, Schema]) -> Iterator[tuple[str, ...]]:
    yield "provider", "capabilities", "stack level", "needs"
    for name, schema in sorted(schemas.items(), key=lambda each: (-each[1]["x-stack-level"], each[0])):
        level = schema["x-stack-level"]
        yield (
            f"`{name.rpartition('/')[2]}`",
            ", ".join(f"`{each}`" for each in schema["x-capabilities"]),
            f"\N{MINUS SIGN}{-level}" + (", the default" if level == DEFAULT_LEVEL else ""),
            schema["x-needs"] or "nothing",
        )


def _settings(properties: Schema) -> Iterator[tuple[str, ...]]:
    yield "setting", "type", "default", "meaning"
    for name, schema in properties.items():
        default = f"`{_shown(schema['default'])}`" if "default" in schema else "required"
        yield f"`{name}`", type_of(schema), default, schema["description"].removesuffix(".").replace("|", "\\|")


def _shown(value: Any) -> str:
    """As one writes it in YAML."""
    return value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else json.dumps(value)


def type_of(schema: Schema) -> str:
    """What a setting takes in words, besides references, and null where that is the default."""
    kinds = [_kind(each) for each in schema.get("anyOf", [schema])]
    left = [kind for kind in kinds if kind != "null" or schema.get("default", "") is not None]
    return " or ".join(kind for kind in left if kind != "secret" or left == ["secret"])


def _kind(schema: Schema) -> str:
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "$ref" in schema:  # a reference, where nothing else is taken, or a class with fields
        return "secret" if schema["$ref"] == "#/$defs/reference" else "mapping"
    if "type" not in schema:
        return "any value"
    if isinstance(schema["type"], list):
        return " or ".join(_kind({**schema, "type": each}) for each in cast("list[str]", schema["type"]))
    if schema["type"] == "array":
        return f"list of {type_of(schema['items'])}"
    if schema["type"] == "object":
        return f"mapping to {type_of(schema['additionalProperties'])}"
    return "text" if schema["type"] == "string" else str(schema["type"])
