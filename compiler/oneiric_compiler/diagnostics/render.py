"""Diagnostics as text, JSON, SARIF and annotations of GitHub; nothing secret is shown in any of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TypeAlias
from urllib.parse import quote

from oneiric_compiler.diagnostics.codes import CODES
from oneiric_compiler.diagnostics.found import Diagnostic, Severity, Source, Span
from oneiric_compiler.diagnostics.snippet import snippet
from oneiric_compiler.text.paint import Line, Style, paint
from oneiric_compiler.text.plural import plural
from oneiric_compiler.text.redact import masked
from oneiric_compiler.text.visible import visible

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_STYLES: dict[Severity, Style] = {"error": "red", "warning": "yellow", "note": "cyan"}
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_UNSAFE_IN_MESSAGE = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_UNSAFE_IN_PROPERTY = {**_UNSAFE_IN_MESSAGE, ":": "%3A", ",": "%2C"}


def as_text(
    diagnostics: Iterable[Diagnostic], *, styled: bool = False, width: int = 100, wrap: int | None = None
) -> str:
    """What a compiler prints: one block per diagnostic and a line of counts; empty when there is none.

    `width` is the number of columns a source line may take before it is cut around its span; `wrap` that of a
    terminal, where longer lines are broken between words.
    """
    found = list(diagnostics)
    blocks = [paint(_block(each, width), styled=styled, width=wrap) for each in found]
    if found:
        blocks.append(paint([[(counts(found), "bold")]], styled=styled))
    return "".join(blocks)


def counts(diagnostics: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning`."""
    severities = [each.severity for each in diagnostics]
    kinds: tuple[Severity, ...] = ("error", "warning", "note")
    numbers = [(severities.count(kind), kind) for kind in kinds]
    return ", ".join(plural(number, kind) for number, kind in numbers if number)


def as_json(diagnostics: Iterable[Diagnostic], **more: Json) -> str:
    """One document of format `oneiric.diagnostics/1`; columns count characters from 1, ends are excluded."""
    found: list[Json] = [_fact(each) for each in diagnostics]
    document: dict[str, Json] = {"format": "oneiric.diagnostics/1", **more, "diagnostics": found}
    return json.dumps(document, indent=2) + "\n"


def as_sarif(diagnostics: Iterable[Diagnostic], *, version: str, nowhere: str = "settings/app.yml") -> str:
    """One SARIF 2.1.0 log with one run; `version` is the compiler's.

    What has no place is told at the file `nowhere`, and what has no line at the first: GitHub's code scanning refuses
    a log with a result that has none.
    """
    found = list(diagnostics)
    codes = sorted({each.code for each in found})
    driver: Json = {"name": "oneiric", "version": version, "rules": [_sarif_rule(code) for code in codes]}
    run: Json = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(each, codes.index(each.code), nowhere) for each in found],
    }
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def as_github(diagnostics: Iterable[Diagnostic]) -> str:
    """Workflow commands that annotate the lines of a change, one a line."""
    return "".join(f"{_github_command(each)}\n" for each in diagnostics)


def _block(each: Diagnostic, width: int) -> list[Line]:
    style = _STYLES[each.severity]
    first, *rest = _lines(each.message)
    block: list[Line] = [[(f"{each.severity}[{each.code}]", style), (f": {first}", "bold")]]
    block.extend([(f"  {line}", "bold")] for line in rest)
    spans = [span for span in (each.span, *(span for _, span in each.related)) if span is not None]
    gutter = max((len(str(span.line)) for span in spans if span.source.text), default=1)
    secret = each.code in ("ONE410", "ONE414")
    if each.span:
        block += snippet(each.span, gutter, width, style=style, secret=secret)
    bar: Line = [(" " * gutter + " |", "blue")]
    for label, span in each.related:
        block += [bar] if len(block) > 1 else []
        block += snippet(span, gutter, width, style="blue", label=visible(label), arrow=":::")
    if each.help:
        block += [bar] if any(span.source.text for span in spans) else []
        first, *rest = _lines(each.help)
        block.append([(" " * gutter + " = ", "blue"), ("help", "bold"), (f": {first}", "plain")])
        block.extend([(" " * (gutter + 9) + line, "plain")] for line in rest)
    return [*block, []]


def _lines(text: str) -> list[str]:
    return [visible(line) for line in _clean(text).split("\n")]


def _clean(text: str) -> str:
    return masked(text)


def _fact(each: Diagnostic) -> Json:
    fact: dict[str, Json] = {
        "code": each.code,
        "severity": each.severity,
        "title": CODES[each.code].title,
        "message": _clean(each.message),
    }
    if each.span:
        fact["at"] = _fact_place(each.span)
    if each.help:
        fact["help"] = _clean(each.help)
    if each.related:
        fact["related"] = [{"label": label, "at": _fact_place(span)} for label, span in each.related]
    return fact


def _fact_place(span: Span) -> Json:
    place: dict[str, Json] = {"file": span.source.path}
    if span.source.text:
        place |= {
            "line": span.line,
            "column": span.column,
            "end_line": span.end_line,
            "end_column": span.end_column,
        }
    return place


def _sarif_rule(code: str) -> Json:
    known = CODES[code]
    return {
        "id": code,
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": known.explanation},
        "defaultConfiguration": {"level": known.severity},
    }


def _sarif_result(each: Diagnostic, index: int, nowhere: str) -> Json:
    message = each.message if each.help is None else f"{each.message}\n{each.help}"
    place = _sarif_place(each.span or Span(Source(nowhere, "")))
    result: dict[str, Json] = {
        "ruleId": each.code,
        "ruleIndex": index,
        "level": each.severity,
        "message": {"text": _clean(message)},
        "locations": [{"physicalLocation": {"region": {"startLine": 1}, **place}}],
    }
    if each.related:
        result["relatedLocations"] = [
            {"id": number, "message": {"text": label}, "physicalLocation": _sarif_place(span)}
            for number, (label, span) in enumerate(each.related)
        ]
    return result


def _sarif_place(span: Span) -> dict[str, Json]:
    place: dict[str, Json] = {"artifactLocation": {"uri": quote(span.source.path)}}
    if span.source.text:
        place["region"] = {
            "startLine": span.line,
            "startColumn": span.column,
            "endLine": span.end_line,
            "endColumn": span.end_column,
        }
    return place


def _github_command(each: Diagnostic) -> str:
    kind = "notice" if each.severity == "note" else each.severity
    properties: dict[str, str | int] = {}
    if each.span:
        properties["file"] = each.span.source.path
        if each.span.source.text:
            properties |= {"line": each.span.line, "endLine": each.span.end_line, "col": each.span.column}
            if each.span.line == each.span.end_line:
                properties["endColumn"] = max(each.span.column, each.span.end_column - 1)
    properties["title"] = f"{each.code} {CODES[each.code].title}"
    shown = ",".join(f"{name}={_escaped(str(text), _UNSAFE_IN_PROPERTY)}" for name, text in properties.items())
    places = [f"{label}: {span.source.path}:{span.line}" for label, span in each.related]
    message = "\n".join([each.message, *places, *([f"help: {each.help}"] if each.help else [])])
    return f"::{kind} {shown}::{_escaped(_clean(message), _UNSAFE_IN_MESSAGE)}"


def _escaped(text: str, unsafe: dict[str, str]) -> str:
    return "".join(unsafe.get(char, visible(char)) for char in text)
