"""docs/ci.md: its workflow's lines run as a pull request would run them, and say what the page promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.repository.repositories import SECONDS, Shop, committed, git, made

PAGE = (Path(__file__).resolve().parents[2] / "docs/ci.md").read_text()
BLOCKS = [yaml.load(text, yaml.BaseLoader) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S)]
WORKFLOW: dict[str, Any] = next(each for each in BLOCKS if "jobs" in each)
STEPS: list[dict[str, Any]] = WORKFLOW["jobs"]["oneiric"]["steps"]
GATE = "No other winner without the label"
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
"""As GitHub's runner starts bash."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of a project, on a branch of its own."""
    origin = tmp_path / "origin"
    made(origin, Shop())
    (origin / ".gitignore").write_text("__pycache__/\n")
    (origin / "requirements.txt").touch()
    git(origin, "init")
    committed(origin, "base")
    git(tmp_path, "clone", "-q", str(origin), "clone")
    git(tmp_path / "clone", "checkout", "-q", "-b", "change")
    return tmp_path / "clone"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """What the runner gives a step; `gh` notes what it is asked to do."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "oneiric").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m oneiric_compiler "$@"\n')
    (programs / "pip").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pip "$@"\n')
    (programs / "gh").write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/gh"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_BASE_REF": "main",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "NUMBER": "7",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def steps(root: Path, environ: dict[str, str]) -> Iterator[tuple[str, subprocess.CompletedProcess[str]]]:
    """Runs the steps until one fails; the name or command of each, and its result."""
    for step in STEPS:
        if "run" in step:
            done = subprocess.run(
                [*SHELL, step["run"]],
                cwd=root,
                env={**os.environ, **environ},
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            yield step.get("name", step["run"]), done
            if done.returncode:
                return


def test_a_change_of_a_setting_passes_and_is_told(clone: Path, environ: dict[str, str]) -> None:
    made(clone, Shop().edited(lambda shop: shop.base.sizes.update({"ka": 5})))
    committed(clone, "larger")
    ran = dict(steps(clone, environ))
    assert {name: done.returncode for name, done in ran.items()} == dict.fromkeys(ran, 0), ran
    assert len(ran) == len([step for step in STEPS if "run" in step])
    told = Path(environ["GITHUB_STEP_SUMMARY"]).read_text()
    assert "service:ka" in told
    assert told == (clone / "changes.md").read_text()
    assert (clone.parent / "gh").read_text().startswith("pr comment 7 --body-file changes.md")


def test_no_change_passes(clone: Path, environ: dict[str, str]) -> None:
    assert all(done.returncode == 0 for _, done in steps(clone, environ))


def test_another_winner_is_stopped_at_the_gate_and_told_before(clone: Path, environ: dict[str, str]) -> None:
    made(clone, Shop().edited(lambda shop: shop.base.selections.update({"ka": "two"})))
    committed(clone, "another")
    *passed, (name, done) = steps(clone, environ)
    assert all(each.returncode == 0 for _, each in passed)
    assert (name, done.returncode) == (GATE, 1)
    assert "service:ka" in Path(environ["GITHUB_STEP_SUMMARY"]).read_text()


def test_stale_outputs_are_annotated(clone: Path, environ: dict[str, str]) -> None:
    (clone / "settings/tenants/zeta.yml").unlink()
    committed(clone, "without zeta")
    *_, (name, done) = steps(clone, environ)
    assert (name, done.returncode) == ("oneiric compile --check --strict --format github", 1)
    assert done.stdout.startswith("::error file=generated/")


def test_a_base_that_is_not_there_fails_the_step(clone: Path, environ: dict[str, str]) -> None:
    *_, (name, done) = steps(clone, {**environ, "GITHUB_BASE_REF": "nowhere"})
    assert (name, done.returncode) == ("What changes", 1)
    assert "git knows no commit" in done.stderr


def test_the_hooks_it_names_are_defined() -> None:
    config = next(each for each in BLOCKS if "repos" in each)
    defined = yaml.safe_load((Path(__file__).resolve().parents[2] / ".pre-commit-hooks.yaml").read_text())
    assert [each["id"] for each in config["repos"][0]["hooks"]] == [each["id"] for each in defined]
