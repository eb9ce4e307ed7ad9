"""Colours and width are for terminals; NO_COLOR is honoured."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from oneiric_compiler.questions.explain.rows import section
from oneiric_compiler.text.paint import paint

from tests.unit.cli.reports import shop
from tests.unit.cli.running import MAIN, run, run_on_terminal

AT_ONCE = f"from oneiric_compiler.cli import progress; progress.MOMENT = 0; {MAIN}"
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
"""The cursor."""
EXPLAIN = ("explain", "cache", "--from-report", "report.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "report.json").write_text(json.dumps(shop()))
    return tmp_path


def test_a_terminal_gets_colours_and_a_pipe_the_same_words(folder: Path) -> None:
    coloured = run_on_terminal(*EXPLAIN, cwd=folder)
    piped = run(*EXPLAIN, cwd=folder).stdout
    assert "\x1b[1;32mredis\x1b[0m" in coloured
    assert "\x1b" not in piped
    assert [
        line.split() for line in run_on_terminal(*EXPLAIN, cwd=folder, NO_COLOR="1", COLUMNS="300").splitlines()
    ] == [line.split() for line in piped.splitlines()]


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_who_wants_no_colours_gets_none(folder: Path, environ: dict[str, str]) -> None:
    assert "\x1b" not in run_on_terminal(*EXPLAIN, cwd=folder, **environ)
    assert "\x1b" not in run_on_terminal("explain", "none", "--from-report", "report.json", cwd=folder, **environ)


def test_errors_and_help_are_drawn(folder: Path) -> None:
    assert "\x1b[1;31merror[ONE305]\x1b[0m" in run_on_terminal(
        "explain", "none", "--from-report", "report.json", cwd=folder
    )
    assert "─" in run_on_terminal("--help", cwd=folder)
    assert "─" not in run("--help", cwd=folder).stdout


@pytest.mark.parametrize("command", [("explain", "cache"), ("explain",), ("list",)])
def test_no_line_of_a_terminal_ends_in_spaces_which_a_narrow_one_would_wrap(
    folder: Path, command: tuple[str, ...]
) -> None:
    told = run_on_terminal(*command, "--from-report", "report.json", cwd=folder)
    assert "\x1b[" in told
    assert not [line for line in re.sub(r"\x1b\[[0-9;]*m", "", told).splitlines() if line.endswith(" ")]


def test_a_terminal_shows_that_something_takes_time_and_leaves_nothing_of_it(folder: Path) -> None:
    assert run("init", cwd=folder).returncode == 0
    for environ in ({}, {"NO_COLOR": "1"}, {"PYTHONIOENCODING": "ascii"}):
        shown = run_on_terminal("compile", cwd=folder, main=AT_ONCE, **environ)
        assert "compiling" in shown.partition(SHOW)[0].partition(HIDE)[2]
        assert "compiling" not in shown.rpartition(SHOW)[2]
        assert "compiled" in shown.rpartition(SHOW)[2]
        assert not environ.get("NO_COLOR") or "\x1b[3" not in shown
        assert "\\u" not in shown


@pytest.mark.parametrize(("arguments", "environ"), [(("--json",), {}), ((), {"TERM": "dumb"})])
def test_who_cannot_use_a_spinner_gets_none(folder: Path, arguments: tuple[str, ...], environ: dict[str, str]) -> None:
    assert run("init", cwd=folder).returncode == 0
    shown = run_on_terminal("compile", *arguments, cwd=folder, main=AT_ONCE, **environ)
    assert HIDE not in shown
    assert "compiling" not in shown
    assert "compiled" in shown


def test_columns_hold_wide_characters() -> None:
    facts = [("größe", "a", "x"), ("日本", "ü" * 3, "y"), ("e\u0301", "日", "z")]
    assert paint(section("tenants", facts), styled=False).splitlines()[2:] == [
        "    größe  a    x",
        "    日本   üüü  y",
        "    e\u0301      日   z",
    ]
