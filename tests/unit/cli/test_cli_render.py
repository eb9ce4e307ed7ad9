"""Diagnostics as people and machines get them."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric_compiler.diagnostics.codes import CODES
from oneiric_compiler.diagnostics.found import Diagnostic, Source, Span
from oneiric_compiler.diagnostics.render import as_github, as_json, as_sarif, as_text
from syrupy.assertion import SnapshotAssertion

SETTINGS = Source("settings/adapters.yml", "selections:\n  cache: reddis\nprovider_settings:\n  redis:\n    port: 1\n")


def at(source: Source, line: int, start: int, end: int) -> Span:
    return Span(source, line, start, line, end)


def shown(text: str, start: int, end: int, *, code: str = "ONE111", path: str = "f.yml", width: int = 100) -> list[str]:
    """The source line and the carets of a one-line source, as columns after the gutter."""
    block = as_text([Diagnostic(code, "m", at(Source(path, text), 1, start, end))], width=width).split("\n")
    return [line[4:] for line in block[3:5]]


def columns(text: str) -> int:
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def test_a_diagnostic_looks_like_a_compilers(snapshot: SnapshotAssertion) -> None:
    diagnostic = Diagnostic(
        "ONE301",
        "adapter:cache has no candidate `reddis`",
        at(SETTINGS, 2, 10, 16),
        help="did you mean `redis`?",
        related=(("settings of it", at(SETTINGS, 4, 3, 8)),),
    )
    assert as_text([diagnostic]) == snapshot


def test_nothing_found_is_nothing_said() -> None:
    assert as_text([]) == ""


def test_a_place_without_text_and_no_place_at_all(snapshot: SnapshotAssertion) -> None:
    missing = Diagnostic("ONE101", "settings/app.yml does not exist", Span(Source("settings/app.yml", "")))
    nowhere = Diagnostic("ONE208", "`acme` is not listed", help="list it\nor not")
    assert as_text([missing, nowhere]) == snapshot


def test_a_span_over_several_lines_shows_its_first_to_the_end() -> None:
    text = as_text([Diagnostic("ONE111", "m", Span(SETTINGS, 2, 3, 4, 5))])
    assert "2 |   cache: reddis\n  |   ^^^^^^^^^^^^^\n" in text


def test_an_empty_span_has_one_caret() -> None:
    assert shown("abc", 2, 2) == ["abc", " ^"]


def test_a_span_past_the_text_is_shown_at_its_end() -> None:
    assert shown("abc", 9, 12) == ["abc", "   ^"]
    assert as_text([Diagnostic("ONE111", "m", at(Source("f.yml", "abc"), 99, 1, 2))])


def test_tabs_and_wide_characters_keep_carets_in_place() -> None:
    assert shown("\ta\tb: 日本x", 5, 6) == ["    a   b: 日本x", "         ^"]
    assert shown("日本: 値x", 5, 6) == ["日本: 値x", "      ^^"]
    assert shown("e\u0301e\u0301x", 5, 6) == ["e\u0301e\u0301x", "  ^"]


def test_unseen_characters_are_spelled_out() -> None:
    assert shown("a\x1b[31m\u202eb", 8, 9) == ["a␛[31m<U+202E>b", "              ^"]
    text = as_text([Diagnostic("ONE111", "m\x1b[2J\u202e", Span(Source("a\x07.yml", "")), help="h\x9b")])
    assert not any(unicodedata.category(char) in ("Cc", "Cf") for char in text if char != "\n")


@pytest.mark.parametrize(("start", "end"), [(1, 3), (2000, 2010), (3990, 4001), (1, 4001), (2000, 3900)])
def test_a_long_line_is_cut_around_its_span(start: int, end: int) -> None:
    text = ("0123456789" * 400)[:4000]
    line, carets = shown(text, start, end, width=60)
    assert columns(line) <= 61
    marked = line[carets.index("^") : len(carets)]
    assert marked.rstrip("…") in text[start - 1 : end - 1]
    assert marked


@given(st.text(max_size=300), st.integers(1, 320), st.integers(0, 300), st.integers(40, 120))
def test_any_line_and_span_can_be_shown(text: str, start: int, length: int, width: int) -> None:
    source = Source("f.yml", text or "x")
    diagnostic = Diagnostic("ONE111", "m", at(source, 1, start, start + length))
    drawn = as_text([diagnostic], width=width)
    assert all(char == "\n" or char.isprintable() for char in drawn)


@pytest.mark.parametrize("code", ["ONE410", "ONE414"])
def test_a_secret_in_plain_text_is_not_shown(code: str) -> None:
    source = Source("settings/adapters.yml", "pin: hunter2\n")
    found = [Diagnostic(code, "`pin` takes a reference: x://u:hunter2@h", at(source, 1, 6, 13))]
    for shown in (as_text(found), as_json(found), as_github(found), as_sarif(found, version="1")):
        assert "hunter2" not in shown


def test_styles_are_for_terminals_only() -> None:
    diagnostic = Diagnostic("ONE301", "m", at(SETTINGS, 2, 10, 16))
    plain, styled = as_text([diagnostic]), as_text([diagnostic], styled=True)
    assert "\x1b" not in plain
    assert "\x1b[1;31merror[ONE301]\x1b[0m" in styled


def test_json_is_one_document_with_every_fact() -> None:
    diagnostic = Diagnostic("ONE304", "m", at(SETTINGS, 2, 10, 16), "h", (("r", at(SETTINGS, 4, 3, 8)),), strict=True)
    document = json.loads(as_json([diagnostic], status="failed"))
    assert document == {
        "format": "oneiric.diagnostics/1",
        "status": "failed",
        "diagnostics": [
            {
                "code": "ONE304",
                "severity": "error",
                "title": CODES["ONE304"].title,
                "message": "m",
                "at": {"file": SETTINGS.path, "line": 2, "column": 10, "end_line": 2, "end_column": 16},
                "help": "h",
                "related": [
                    {
                        "label": "r",
                        "at": {"file": SETTINGS.path, "line": 4, "column": 3, "end_line": 4, "end_column": 8},
                    }
                ],
            }
        ],
    }


def test_sarif_names_rules_levels_and_regions() -> None:
    spaced = Source("my settings/ä.yml", "abc\n")
    found = [
        Diagnostic("ONE304", "warned", at(SETTINGS, 2, 10, 16), related=(("also here", at(SETTINGS, 4, 3, 8)),)),
        Diagnostic("ONE301", "wrong", at(spaced, 1, 1, 4), help="do this"),
        Diagnostic("ONE117", "by the way"),
    ]
    log = json.loads(as_sarif(found, version="1.2"))
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert (log["version"], run["tool"]["driver"]["version"], run["columnKind"]) == (
        "2.1.0",
        "1.2",
        "unicodeCodePoints",
    )
    assert [rules[each["ruleIndex"]]["id"] for each in run["results"]] == ["ONE304", "ONE301", "ONE117"]
    assert [each["level"] for each in run["results"]] == ["warning", "error", "note"]
    nowhere = {"artifactLocation": {"uri": "settings/app.yml"}, "region": {"startLine": 1}}
    assert run["results"][2]["locations"] == [{"physicalLocation": nowhere}]
    place = run["results"][1]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "my%20settings/%C3%A4.yml"
    assert place["region"] == {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 4}
    assert run["results"][0]["relatedLocations"][0]["message"]["text"] == "also here"


def test_github_annotations_are_one_line_each_and_cannot_be_forged() -> None:
    evil = Diagnostic("ONE301", "a\n::error::b 100%", at(Source("a,b:c.yml", "abc"), 1, 1, 4), help="h")
    note = Diagnostic("ONE117", "n")
    first, second = as_github([evil, note]).splitlines()
    assert first == (
        "::error file=a%2Cb%3Ac.yml,line=1,endLine=1,col=1,endColumn=3,"
        f"title=ONE301 {CODES['ONE301'].title}::a%0A::error::b 100%25%0Ahelp: h"
    )
    assert second.startswith("::notice title=ONE117")
