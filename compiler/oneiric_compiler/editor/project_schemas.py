"""JSON Schemas of one project's settings files: they complete to, and take, no more than what the project has.

`settings/NAME.yml` has `NAME.schema.json`, all profiles have `profiles.schema.json`, all tenants `tenants.schema.json`.
The shapes are those of `schemas/`, narrowed: keys, providers, capabilities and needs to the candidates that exist,
provider settings to what every factory they are for takes, described as their docstrings do.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from oneiric.files import put

from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.editor.builtin_schemas import REFERENCE, Schema, record_schemas, value_schema
from oneiric_compiler.linking.layers import everywhere
from oneiric_compiler.linking.settings import takes
from oneiric_compiler.model import RUNTIME, Candidate, Candidates, Catalog, Gathered, Key, Project, Settings
from oneiric_compiler.pipeline import gather
from oneiric_compiler.resources import schemas
from oneiric_compiler.source.docstrings import docstring
from oneiric_compiler.source.modules import Sources
from oneiric_compiler.stages.report import render_report
from oneiric_compiler.tables.layers import NAMES
from oneiric_compiler.tables.options import KEY_OPTIONS

Offered: TypeAlias = Mapping[str, tuple[Candidate, ...]]
"""The candidates of one domain by the name of their key, sorted."""

FOLDER = ".schemas"
_PROJECT = ("app", "remote")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def project_schemas(project: Project, diagnostics: Diagnostics) -> dict[str, str] | None:
    """The schemas by file name; None when `diagnostics` holds an error: what is not read would be missing in them."""
    inputs = gather(project, diagnostics)
    return None if inputs is None or diagnostics.failed else schemas_of(inputs)


def schemas_of(inputs: Gathered) -> dict[str, str]:
    """As `project_schemas`, of a project that was read without errors."""
    settings, found = inputs.settings, inputs.catalog
    sections, common = dict(sorted(settings.app.sections.items())), _definitions(settings, found)
    files = {name: _generic(name) for name in _PROJECT}
    for domain, section in sections.items():
        file = _File(section, f"settings/{section}.yml of {settings.app.name}", common, inputs)
        files[section] = file.schema(file.section(found.base, domain))
    profiles = _merged([found.base, *found.profiles.values()])
    tenants = _merged([found.base, *found.tenants.values()])
    of_tenants = {key: tenants[key] for key in found.base}
    for name, candidates, new_keys in (("profiles", profiles, True), ("tenants", of_tenants, False)):
        file = _File(name, f"the {name} of {settings.app.name}", common, inputs, new_keys)
        parts = {section: file.section(candidates, domain, overlay=True) for domain, section in sections.items()}
        files[name] = file.schema(_mapping(parts))
    return {f"{name}.schema.json": render_report(schema) for name, schema in files.items()}


def schema_of(file: str) -> str:
    """The name of the schema of a settings file, `file` relative to the settings folder."""
    owner, _, name = file.rpartition("/")
    return f"{owner or name.removesuffix('.yml')}.schema.json"


def write_schemas(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Writes what is not there yet, each file whole or not at all; the names of those written."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[str] = []
    for name, text in files.items():
        path, data = folder / name, text.encode()
        if not path.is_file() or path.read_bytes() != data:
            put(path, data)
            written.append(name)
    return written


class _File:
    """The schema of one file; what its parts have in common is defined once, named by its content."""

    def __init__(self, name: str, title: str, definitions: Schema, inputs: Gathered, new_keys: bool = True) -> None:
        self.head = {"$schema": _DIALECT, "$id": f"{name}.schema.json", "title": f"Oneiric: {title}"}
        self.definitions, self.sources, self.new_keys = dict(definitions), inputs.sources, new_keys
        self.layers = list(everywhere(inputs.settings, inputs.catalog))

    def schema(self, shape: Schema) -> Schema:
        return {**self.head, **shape, "$defs": self.definitions}

    def section(self, candidates: Candidates, domain: str, *, overlay: bool = False) -> Schema:
        """The shape of a domain's section, narrowed to its candidates."""
        served = {key.name: found for key, found in sorted(candidates.items()) if key.domain == domain}
        layers = [(text, layer) for text, layer in self.layers if layer.key.domain == domain]
        shape = _generic("domain")["$defs"]
        properties: Schema = shape["section"]["properties"]
        narrowed: dict[str, Schema] = {
            "selections": {key: _one_of(_distinct(each.provider for each in found)) for key, found in served.items()},
            "requires": {key: _list_of(_capabilities(found)) for key, found in served.items()},
            "ports": {key: {"$ref": "#/$defs/port"} for key in served},
            "provider_settings": {
                name: self.defined(self.fields(found)) for name, found in _entries(served, layers).items()
            },
            "layers": {key: _stack([each.provider for _, each in layers if each.key.name == key]) for key in served},
        }
        narrowed |= {option.name: dict.fromkeys(served, option.schema) for option in KEY_OPTIONS}
        for name, known in narrowed.items():
            properties[name] = {"description": properties[name]["description"], **_mapping(known)}
        if overlay:
            properties["unbind"] = {**_generic("overlay")["$defs"]["section"]["properties"]["unbind"]}
            properties["unbind"]["items"] = _one_of(list(served))
        properties["components"]["items"] = self.component(shape["component"], served)
        return _mapping(properties)

    def component(self, component: Schema, served: Offered) -> Schema:
        """A declaration names new things, so these only complete; what it needs has to exist, and a tenant's key."""
        properties: Schema = component["properties"]
        offered = _distinct(each for found in served.values() for each in _capabilities(found))
        properties["key"] = _complete(properties["key"], list(served)) if self.new_keys else _one_of(list(served))
        properties["port"] = {"$ref": "#/$defs/port"}
        properties["capabilities"]["items"] = _complete(properties["capabilities"]["items"], offered)
        properties["needs"]["additionalProperties"] = {"$ref": "#/$defs/need"}
        return component

    def fields(self, served: list[Candidate]) -> Schema:
        """The settings that every factory served takes; the classes of objects in them are defined beside."""
        parameters = (each for candidate in served for each in (candidate.signature.parameters or {}).values())
        self.definitions |= record_schemas(self.sources, (each.type for each in parameters))
        return _fields(self.sources, served)

    def defined(self, schema: Schema) -> Schema:
        name = hashlib.sha256(json.dumps(schema).encode()).hexdigest()[:12]
        self.definitions[name] = schema
        return {"$ref": f"#/$defs/{name}"}


def _definitions(settings: Settings, found: Catalog) -> Schema:
    """What every file refers to: references, and the ports and needs there are."""
    candidates = _merged([found.base, *found.profiles.values(), *found.tenants.values()])
    ports = {each.port.value for served in candidates.values() for each in served if each.port}
    ports |= {stated.value for _, section in settings.sections() for stated in section.ports.values()}
    port = _generic("domain")["$defs"]["component"]["properties"]["port"]
    levels = (settings.base, *settings.profiles.values())
    aliases = {Key(domain, name) for level in levels for domain, section in level.items() for name in section.aliases}
    keys = {*candidates, *aliases}
    needs = _distinct([str(RUNTIME), *map(str, keys), *(key.name for key in keys)])
    return {"reference": REFERENCE, "port": _complete(port, sorted(ports)), "need": _needed(_one_of(needs))}


def _needed(key: Schema) -> Schema:
    """One key, several in a list, or a pattern."""
    stated = _generic("domain")["$defs"]["component"]["properties"]["needs"]["additionalProperties"]
    several = {"type": "array", "items": key, **{name: stated[name] for name in ("minItems", "uniqueItems")}}
    return {"anyOf": [key, several, {"type": "string", "pattern": r"\*$"}], "description": stated["description"]}


def _mapping(properties: Schema) -> Schema:
    return {"type": ["object", "null"], "additionalProperties": False, "properties": properties}


def _generic(name: str) -> Schema:
    schema: Schema = json.loads((schemas() / f"{name}.schema.json").read_text("utf-8"))
    return schema


def _merged(scopes: Iterable[Candidates]) -> Candidates:
    merged: dict[Key, tuple[Candidate, ...]] = {}
    for scope in scopes:
        for key, candidates in scope.items():
            merged[key] = (*merged.get(key, ()), *candidates)
    return merged


def _capabilities(found: Iterable[Candidate]) -> list[str]:
    return _distinct(name for each in found for name in each.capabilities)


def _stack(layers: Iterable[str]) -> Schema:
    """A list of layers by name, each perhaps with a label."""
    names = _distinct([*layers, *NAMES])
    labelled = {"type": "string", "pattern": f"^({'|'.join(map(re.escape, names))}):[A-Za-z0-9][A-Za-z0-9._-]*$"}
    return {"type": "array", "items": {"anyOf": [_one_of(names), labelled]}, "uniqueItems": True}


def _entries(served: Offered, layers: Iterable[tuple[str, Candidate]]) -> dict[str, list[Candidate]]:
    """What `provider_settings` can hold, `provider` and `key/provider`, with the candidates each is for."""
    entries: dict[str, list[Candidate]] = {}
    for key, found in served.items():
        for each in found:
            for name in (each.provider, f"{key}/{each.provider}"):
                entries.setdefault(name, []).append(each)
    for text, layer in layers:
        for name in (f"{layer.key.name}/{text}", *(() if ":" in text else (text,))):
            entries.setdefault(name, []).append(layer)
    return dict(sorted(entries.items()))


def _fields(sources: Sources, served: list[Candidate]) -> Schema:
    """The settings that every factory served takes, each of a value that fits all of them."""
    parameters = [each.signature.parameters or {} for each in served]
    needed = {name for each in served for name in each.handed}
    factories = _distinct(each.factory for each in served)
    told = [docstring(sources, found).settings for each in factories if (found := sources.find(each))]
    others = f" and {len(factories) - 3} more" if len(factories) > 3 else ""
    names = sorted({name for each in parameters for name in each} - needed)
    return {
        "description": ", ".join(factories[:3]) + others,
        "type": ["object", "null"],
        "additionalProperties": all(each.signature.parameters is None or each.signature.open for each in served),
        "properties": {
            name: {**_described(name, told), **_fitting(each[name].type for each in parameters if name in each)}
            for name in names
            if all(takes(each, name) for each in served)
        },
    }


def _described(name: str, told: Iterable[Mapping[str, str]]) -> Schema:
    """The keyword `description`, with all that is said of a setting."""
    texts = _distinct(each[name] for each in told if name in each)
    return {"description": " / ".join(texts)} if texts else {}


def _fitting(types: Iterable[Any]) -> Schema:
    """What fits all of the types."""
    different: list[Schema] = []
    for schema in map(value_schema, types):
        if schema not in different:
            different.append(schema)
    return different[0] if len(different) == 1 else {"allOf": different}


def _complete(schema: Schema, names: list[str]) -> Schema:
    """Takes what `schema` takes; editors offer `names`."""
    if not names:
        return schema
    described = {"description": schema["description"]} if "description" in schema else {}
    return {**described, "anyOf": [{"enum": names}, schema]}


def _list_of(names: list[str]) -> Schema:
    return {"type": "array", "uniqueItems": True, "items": _one_of(names)}


def _one_of(names: list[str]) -> Schema:
    return {"enum": names} if names else {"not": {}}


def _distinct(names: Iterable[str]) -> list[str]:
    return sorted(set(names))
