"""What helps say is done by edits: the diagnostics that carry them are gone then, and no other character is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from golden_cases import Case, all_cases, compile_case, compiled
from oneiric_compiler.diagnostics.edits import FIXABLE
from oneiric_compiler.diagnostics.found import Diagnostic
from oneiric_compiler.editor.fixing import fixes, write
from oneiric_compiler.model import Project

READING = {"ONE102", "ONE104", "ONE105", "ONE106", "ONE107", "ONE201", "ONE202"}
"""What no edit may bring: a file that is read no more, or otherwise."""


def says(case: Case, code: str) -> bool:
    return f"[{code}]".encode() in case.want.get("errors.txt", b"")


CASES = [case for case in all_cases() if any(says(case, code) for code in FIXABLE)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_fixed_is_told_no_more(case: Case, tmp_path: Path) -> None:
    root, before = case.copied(tmp_path), list(compiled(case).diagnostics)
    found = fixes(Project.at(root, {}), before)
    if not found.changes:
        return
    texts = {change.path: change.path.read_bytes() for change in found.changes}
    write(found.changes)
    for change in found.changes:
        assert_only_edits(change.fixed, texts[change.path].decode("utf-8-sig"), change.path.read_text("utf-8-sig"))
    left = compile_case(root)[1]
    after = told(left)
    fixed, known = told(found.made), told(before)
    assert not {each for each in fixed if after[each] > known[each] - fixed[each]}
    assert not {each[0] for each in after - known} & READING
    assert not told(fixes(Project.at(root, {}), left).made) & fixed


def assert_only_edits(fixed: Iterable[Diagnostic], before: str, after: str) -> None:
    """Each edit taken back gives what was there."""
    lines, old = after.split("\n"), before.split("\n")
    assert len(lines) == len(old)
    edits = sorted((edit for each in fixed for edit in each.edits), key=lambda edit: edit.span[1:3])
    for number, (line, was) in enumerate(zip(lines, old, strict=True), 1):
        for span, text in (edit for edit in edits if edit.span.line == number):
            start = span.column - 1
            assert line[start : start + len(text)] == text
            line = line[:start] + was[span.column - 1 : span.end_column - 1] + line[start + len(text) :]
        assert line == was


def told(diagnostics: Iterable[Diagnostic]) -> Counter[tuple[str, str, str]]:
    return Counter((each.code, each.message, each.span.source.path if each.span else "") for each in diagnostics)


@pytest.mark.parametrize("code", FIXABLE)
def test_every_code_of_the_table_has_a_help_that_is_an_edit(code: str) -> None:
    assert any(each.code == code and each.edits for case in CASES if says(case, code) for each in compiled(case).diagnostics)
