"""The page of diagnostics."""

from __future__ import annotations

from oneiric_compiler.diagnostics.codes import CODES
from oneiric_compiler.pages.diagnostics import page


def test_every_code_is_told_once() -> None:
    assert [page().count(f"### {code}: ") for code in CODES] == [1] * len(CODES)
