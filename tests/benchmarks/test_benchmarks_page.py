"""The tables of docs/performance.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.page import PAGE, RESULTS, filled
from benchmarks.table import Row, Table
from benchmarks.targets import markdown


def kept(folder: Path, version: str, *rows: Row) -> None:
    tables: list[Any] = [Table("A title", "nothing", rows).as_json()]
    (folder / f"targets/{version}").mkdir(parents=True)
    (folder / f"targets/{version}/live.json").write_text(
        json.dumps({"machine": {"python": f"P {version}"}, "tables": tables})
    )


def test_the_page_shows_the_results_that_are_kept() -> None:
    page = PAGE.read_text("utf-8")
    assert filled(page, RESULTS) == page, "run `python -m benchmarks.page`"


def test_a_page_without_a_mark_is_told() -> None:
    with pytest.raises(ValueError, match="no <!-- targets -->"):
        filled("nothing", RESULTS)


def test_each_python_has_a_column_and_what_is_over_its_target_is_bold(tmp_path: Path) -> None:
    ratio = Row("a call", "ns", [20, 30, 40], [10, 10, 10], "ratio", 2.5)
    kept(tmp_path, "3.9", ratio, Row("a start", "ms", [12], [10], "above", 3))
    kept(tmp_path, "3.11", Row("a call", "ns", [20], [10], "ratio", 3.0))
    assert markdown(tmp_path).splitlines() == [
        "Measured on python P 3.9, P 3.11.",
        "",
        "### A title",
        "",
        "Floor: nothing.",
        "",
        "| | at most | 3.9 | 3.11 |",
        "|---|---|---|---|",
        (
            "| a call | 2.5\N{MULTIPLICATION SIGN} (3.9), 3\N{MULTIPLICATION SIGN} (3.11) "
            "| **3\N{MULTIPLICATION SIGN}** (2.50 to 3.50) | 2\N{MULTIPLICATION SIGN} |"
        ),
        "| a start | 3 ms | +2 ms |  |",
    ]
