"""A project's own schemas take what compiles and refuse what does not, in every case."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from golden_cases import NOW, Case, all_cases, compile_case, surroundings
from jsonschema import Draft202012Validator
from oneiric_compiler.diagnostics.found import Diagnostics, Source
from oneiric_compiler.editor.project_schemas import project_schemas, schema_of
from oneiric_compiler.model import Project
from oneiric_compiler.settings.documents import parse_document

CASES = all_cases()
SEEN = {"ONE110", "ONE111", "ONE112", "ONE113", "ONE301", "ONE305", "ONE407"}
"""Mistakes in settings that a schema has to see; values (ONE408, ONE410, ONE411) have rules that no schema states."""


@pytest.mark.parametrize("case", [each for each in CASES if each.succeeds], ids=lambda case: case.name)
def test_settings_that_compile_fit_the_schemas_of_their_project(case: Case, tmp_path: Path) -> None:
    root = case.copied(tmp_path)
    schemas = schemas_of(root)
    assert schemas is not None
    for schema in schemas.values():
        check(json.dumps(schema))
    assert {file: found for file in files_of(root) if (found := problems(schemas, root, file))} == {}


@pytest.mark.parametrize("case", [each for each in CASES if not each.succeeds], ids=lambda case: case.name)
def test_a_file_with_a_mistake_in_names_does_not_fit(case: Case, tmp_path: Path) -> None:
    root = case.copied(tmp_path)
    _, diagnostics = compile_case(root)
    schemas = schemas_of(root)
    if schemas is None:
        return
    told = {each.span.source.path for each in diagnostics if each.code in SEEN and each.span}
    wrong = {f"settings/{file}" for file in files_of(root) if problems(schemas, root, file)}
    assert {file for file in told if file.startswith("settings/")} <= wrong


@cache
def check(text: str) -> None:
    """That a schema is one. What it is made of is looked at by itself: most of that is the same in every project."""
    schema = json.loads(text)
    for group in schema.keys() & {"$defs", "properties"}:
        for part in schema[group].values():
            check(json.dumps(part))
        schema[group] = dict.fromkeys(schema[group], True)
    Draft202012Validator.check_schema(schema)


def schemas_of(root: Path) -> dict[str, Any] | None:
    """None where the settings or sources cannot be read: the mistakes have to be corrected first."""
    diagnostics = Diagnostics()
    with surroundings(root):
        made = project_schemas(project_of(root), diagnostics)
    assert (made is None) == diagnostics.failed
    return None if made is None else {name: json.loads(text) for name, text in made.items()}


def project_of(root: Path) -> Project:
    lines = (root / "env").read_text().splitlines() if (root / "env").exists() else []
    return replace(Project.at(root, dict(line.split("=", 1) for line in lines if line)), evaluated_at=NOW)


def files_of(root: Path) -> list[str]:
    folder = project_of(root).settings
    files = [*folder.glob("*.yml"), *folder.glob("profiles/*.yml"), *folder.glob("tenants/*.yml")]
    return sorted(file.relative_to(folder).as_posix() for file in files)


def problems(schemas: dict[str, Any], root: Path, file: str) -> list[str]:
    text = (project_of(root).settings / file).read_text("utf-8-sig")
    document = parse_document(Source(file, text), Diagnostics())
    found = Draft202012Validator(schemas[schema_of(file)]).iter_errors(document.value)
    return [f"{error.json_path}: {error.message}" for error in found]
