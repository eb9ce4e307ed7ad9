"""What people and machines read of diagnostics: places, SARIF as its schema and GitHub have it, annotations.

`SARIF` holds the rules of the OASIS schema of SARIF 2.1.0 for the objects that are written, closed as they are there,
and those of GitHub's code scanning, which refuses a whole log for one result without a line of a file.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from golden_cases import Case, all_cases, compiled
from jsonschema import Draft202012Validator, FormatChecker
from oneiric_compiler.diagnostics.found import Diagnostic
from oneiric_compiler.text.redact import masked
from oneiric_compiler.diagnostics.render import as_github, as_json, as_sarif, as_text

TELLING = [case for case in all_cases() if "errors.txt" in case.want]
CONFLICTS = {"ONE204", "ONE302", "ONE304", "ONE404", "ONE405", "ONE407", "ONE413"}
"""What is wrong with two places together: a declaration and another, a setting and the signature, and so on."""
NUMBER = {"type": "integer", "minimum": 1}
TEXT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["text"],
    "properties": {"text": {"type": "string", "minLength": 1}},
}
LEVEL = {"enum": ["none", "note", "warning", "error"]}


def closed(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


def place(*required: str) -> dict[str, Any]:
    file = closed("uri", uri={"type": "string", "pattern": r"^[A-Za-z0-9_.~%/-]+$"})
    region = closed("startLine", startLine=NUMBER, startColumn=NUMBER, endLine=NUMBER, endColumn=NUMBER)
    return closed("artifactLocation", *required, artifactLocation=file, region=region)


RULE = closed(
    "id",
    id={"type": "string"},
    shortDescription=TEXT,
    fullDescription=TEXT,
    defaultConfiguration=closed(level=LEVEL),
)
RESULT = closed(
    "message",
    "ruleId",
    "locations",
    ruleId={"type": "string"},
    ruleIndex={"type": "integer", "minimum": 0},
    level=LEVEL,
    message=TEXT,
    locations={"type": "array", "minItems": 1, "items": closed("physicalLocation", physicalLocation=place("region"))},
    relatedLocations={
        "type": "array",
        "uniqueItems": True,
        "items": closed(
            "physicalLocation", id={"type": "integer", "minimum": 0}, message=TEXT, physicalLocation=place()
        ),
    },
)
SARIF = closed(
    "version",
    "runs",
    version={"const": "2.1.0"},
    runs={
        "type": "array",
        "items": closed(
            "tool",
            tool=closed(
                "driver",
                driver=closed(
                    "name",
                    name={"type": "string"},
                    version={"type": "string"},
                    rules={"type": "array", "uniqueItems": True, "items": RULE},
                ),
            ),
            columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
            results={"type": "array", "items": RESULT},
        ),
    },
    **{"$schema": {"type": "string", "format": "uri"}},
)

each_case = pytest.mark.parametrize("case", TELLING, ids=lambda case: case.name)


def told(case: Case) -> list[Diagnostic]:
    return list(compiled(case).diagnostics)


@each_case
def test_sarif_is_what_its_schema_says(case: Case) -> None:
    found = told(case)
    log = json.loads(as_sarif(found, version="1"))
    validator = Draft202012Validator(SARIF, format_checker=FormatChecker())
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(log)] == []
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[each["ruleIndex"]]["id"] for each in run["results"]] == [each.code for each in found]
    for region in [each["locations"][0]["physicalLocation"]["region"] for each in run["results"]]:
        start = region["startLine"], region.get("startColumn", 1)
        assert (region.get("endLine", start[0]), region.get("endColumn", start[1])) >= start


@each_case
def test_annotations_are_one_line_each_and_read_back(case: Case) -> None:
    found = told(case)
    lines = as_github(found).split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(found)
    for line, each in zip(lines, found, strict=True):
        command = re.fullmatch(r"::(error|warning|notice) ([^:]*)::(.*)", line)
        assert command, line
        properties = dict(pair.split("=", 1) for pair in command[2].split(","))
        assert unescaped(properties["title"]).startswith(f"{each.code} ")
        assert unescaped(properties.get("file", "")) == (each.span.source.path if each.span else "")
        assert set(properties) <= {"file", "line", "endLine", "col", "endColumn", "title"}
        message = unescaped(command[3])
        assert message.isprintable() or all(char == "\n" or char.isprintable() for char in message)
        if each.message.isprintable() and masked(each.message) == each.message:
            assert message.startswith(each.message)


@each_case
def test_every_format_tells_the_same(case: Case) -> None:
    found = told(case)
    facts = json.loads(as_json(found))["diagnostics"]
    results = json.loads(as_sarif(found, version="1"))["runs"][0]["results"]
    assert [(each["code"], each["severity"]) for each in facts] == [(each["ruleId"], each["level"]) for each in results]
    for fact, result in zip(facts, results, strict=True):
        region = result["locations"][0]["physicalLocation"]["region"]
        assert fact.get("at", {}).get("line", 1) == region["startLine"]
        assert len(fact.get("related", [])) == len(result.get("relatedLocations", []))
        assert result["message"]["text"].startswith(fact["message"])


def unescaped(text: str) -> str:
    """As GitHub's runner reads it."""
    for code, char in (("%3A", ":"), ("%2C", ","), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, char)
    return text


@each_case
def test_text_shows_every_place_with_its_line_and_what_to_do(case: Case) -> None:
    for each in told(case):
        head, *lines = as_text([each]).splitlines()
        assert head.startswith(f"{each.severity}[{each.code}]: ")
        assert [line for line in lines if re.match(r" *= help: ", line)], "apart from what is wrong"
        for arrow, mark, spans in (
            ("-->", "^", [each.span] if each.span else []),
            (":::", "-", [span for _, span in each.related]),
        ):
            shown = [span for span in spans if span.source.text]
            assert [line.split()[1] for line in lines if line.split()[:1] == [arrow]] == [
                f"{span.source.path}:{span.line}:{span.column}" if span.source.text else span.source.path
                for span in spans
            ]
            marked = [line for line in lines if re.match(rf" *\| +{re.escape(mark)}", line)]
            assert len(marked) >= len(shown)


@each_case
def test_a_conflict_has_both_places(case: Case) -> None:
    lacking = [each.message for each in told(case) if each.code in CONFLICTS and not each.related]
    assert lacking == []
