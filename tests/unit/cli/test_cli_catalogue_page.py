"""docs/diagnostics.md is the catalogue's."""

from __future__ import annotations

from pathlib import Path

from oneiric_compiler.diagnostics.codes import CODES
from oneiric_compiler.pages.diagnostics import page

PAGE = Path(__file__).parents[3] / "docs" / "diagnostics.md"


def test_the_page_is_in_step() -> None:
    assert PAGE.read_text() == page(), "run `python -m oneiric_compiler.pages.diagnostics > docs/diagnostics.md`"


def test_every_code_is_told_once() -> None:
    assert [page().count(f"### {code}: ") for code in CODES] == [1] * len(CODES)
