"""Schemas: the report's fits every report there is, and those of built-in providers are made from their signatures."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.editor.builtin_schemas import settings_schemas, value_schema
from oneiric_compiler.model import App, Overrides, Project, Settings
from oneiric_compiler.source.types import Choice, Enumeration, Many, Scalar, Unchecked, unread
from oneiric_compiler.stages.catalog import catalog

CHECKOUT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((CHECKOUT / "schemas/explain.schema.json").read_text())
GOLDEN = list((CHECKOUT / "tests/golden").glob("*/want/**/explain.json"))
REPORTS = sorted([*GOLDEN, *(CHECKOUT / "generated").rglob("explain.json")])


def problems(report: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in Draft202012Validator(SCHEMA).iter_errors(report)]


@pytest.mark.parametrize("path", sorted((CHECKOUT / "schemas").rglob("*.json")), ids=lambda path: path.name)
def test_every_schema_is_one(path: Path) -> None:
    schema = json.loads(path.read_text())
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == path.relative_to(CHECKOUT / "schemas").as_posix()


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_every_report_fits(path: Path) -> None:
    assert problems(json.loads(path.read_text())) == []


@pytest.fixture
def report() -> Any:
    return copy.deepcopy(json.loads((CHECKOUT / "generated/explain.json").read_text()))


def test_unknown_fields_are_allowed(report: Any) -> None:
    binding = report["bindings"]["adapter:cache"]
    for node in (report, report["inputs"], binding, binding["candidates"][0]):
        node["from_a_later_release"] = {"any": "thing"}
    assert problems(report) == []


def test_masked_values_and_wins_if_are_allowed(report: Any) -> None:
    binding = report["bindings"]["adapter:cache"]
    binding["settings"] = {"url": {"masked": True, "from": "settings/adapters.yml#/provider_settings/x/url"}}
    edit = {"at": "settings/adapters.yml#/selections/cache", "set": "memory"}
    loser = {
        **binding["candidates"][0],
        "won": False,
        "lost_by": "selection",
        "compared": ["a", "b"],
        "wins_if": [[edit]],
    }
    binding["candidates"].append(loser)
    assert problems(report) == []


BROKEN = {
    "another format": lambda r, b: r.update(format="oneiric.explain/2"),
    "no profile": lambda r, b: r.pop("profile"),
    "an unknown rule": lambda r, b: b.update(decided_by="luck"),
    "a factory that is none": lambda r, b: b.update(factory="MemoryCache"),
    "two winners": lambda r, b: b["candidates"].append(b["candidates"][0]),
    "no winner": lambda r, b: b["candidates"][0].update(won=False, lost_by="priority"),
    "a loser without a rule": lambda r, b: b["candidates"].append({**b["candidates"][0], "won": False}),
    "a winner that lost": lambda r, b: b["candidates"][0].update(lost_by="priority"),
    "a setting of two kinds": lambda r, b: b.update(settings={"a": {"value": 1, "ref": "${A}", "from": "x"}}),
    "a setting of nowhere": lambda r, b: b.update(settings={"a": {"value": 1}}),
    "a need that is not a key": lambda r, b: b.update(needs={"a": "cache"}),
    "bounds": lambda r, b: b["candidates"][0].update(stack_level=101),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_report_is_refused(report: Any, name: str) -> None:
    BROKEN[name](report, report["bindings"]["adapter:cache"])
    assert problems(report)


@pytest.mark.parametrize(
    ("type", "good", "bad"),
    [
        (Scalar("int"), [1, "${PORT}", "${PORT:-1}"], ["1", 1.5, None, True]),
        (Scalar("bool"), [True, "${FLAG}"], ["true", 1]),
        (Scalar("str"), ["", "${A}-x"], [1, None]),
        (Scalar("Secret"), ["${ONEIRIC_SECRET_A}"], ["hunter2", 1]),
        (Choice(("json", "directory")), ["json", "${FORMAT}"], ["xml"]),
        (Enumeration("m:Color", ("red",)), ["red"], ["blue"]),
        (Many("list", Scalar("int")), [[], [1, "${A}"]], [1, ["x"]]),
        (Many("dict", Scalar("str")), [{}, {"a": "b"}], [[], {"a": 1}]),
        (Unchecked("Callable[[], int]"), [1, "x", None, {}], []),
    ],
    ids=str,
)
def test_a_schema_takes_what_the_compiler_takes(type: Any, good: list[Any], bad: list[Any]) -> None:
    schema = {
        **value_schema(type),
        "$defs": {"reference": json.loads(next(iter(settings_schemas().values())))["$defs"]["reference"]},
    }
    validator = Draft202012Validator(schema)
    assert [value for value in good if not validator.is_valid(value)] == []
    assert [value for value in bad if validator.is_valid(value)] == []


def test_the_compiler_reads_every_type_of_a_built_in_setting() -> None:
    nothing = Settings(App(source_roots=()), {}, {}, {}, Overrides(), {}, {})
    found, _ = catalog(Project(Path(), Path(), {}), nothing, Diagnostics())
    assert not [
        (str(key), candidate.provider, name)
        for key, candidates in found.base.items()
        for candidate in candidates
        for name, parameter in (candidate.signature.parameters or {}).items()
        if name not in candidate.needs and list(unread(parameter.type))
    ]
