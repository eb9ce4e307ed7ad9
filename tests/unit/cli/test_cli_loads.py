"""What a command imports: nothing to tell the release, and no other command's modules."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from oneiric_compiler.release import __version__

from tests.unit.cli.running import DEADLINE, environment

RUN = """
import sys
sys.argv[1:] = {arguments!r}
from oneiric_compiler.cli import main
try:
    main()
except SystemExit as end:
    assert end.code in {exits}, end
print(*(sys.modules.keys() & {modules}), file=sys.stderr)
"""
OTHERS = {f"oneiric_compiler.cli.{name}" for name in ("compile", "diff", "init", "manifest", "workflow", "action")}
HEAVY = {"oneiric_compiler.pipeline", "oneiric_compiler.text.redact", "jinja2", "yaml", "httpx", "importlib.metadata"}


def imported(modules: set[str], *arguments: str, cwd: Path, exits: tuple[int, ...] = (0,)) -> str:
    """Those of `modules` that a command imported."""
    script = RUN.format(arguments=[*arguments], exits=exits, modules=modules)
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=cwd, env=environment(), capture_output=True, encoding="utf-8", timeout=DEADLINE, check=True
    )
    return done.stderr.strip()


def test_the_release_is_what_is_installed() -> None:
    assert version("oneiric") == __version__


def test_the_release_is_told_before_anything_is_imported(tmp_path: Path) -> None:
    assert imported({"typer", "re", "pathlib", "importlib.metadata"}, "--version", cwd=tmp_path) == ""


@pytest.mark.parametrize("arguments", [("status",), ("--project", ".", "health"), ("history", "--json")])
def test_a_command_that_only_reads_imports_itself(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert imported(OTHERS | HEAVY, *arguments, cwd=tmp_path, exits=(0, 1, 2)) in ("", "oneiric_compiler.text.redact")


def test_a_folder_called_like_a_command_is_none(tmp_path: Path) -> None:
    (tmp_path / "status").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "oneiric_compiler", "--project", "status", "lits"], check=False,
        cwd=tmp_path, env=environment(), capture_output=True, encoding="utf-8", timeout=DEADLINE,
    )  # fmt: skip
    assert "did you mean `list`?" in done.stderr
