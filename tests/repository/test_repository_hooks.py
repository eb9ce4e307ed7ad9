"""The pre-commit hooks that this repository offers, run by pre-commit on real commits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.repositories import SECONDS, Shop, committed, git, made, pre_commit

CHECKOUT = Path(__file__).resolve().parents[2]
HOOKS = (CHECKOUT / ".pre-commit-hooks.yaml").read_text()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment that commits: `oneiric` is on its path."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "oneiric").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m oneiric_compiler "$@"\n')
    (programs / "oneiric").chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "PRE_COMMIT_HOME": str(tmp_path / "cache"), "NO_COLOR": "1", "PRE_COMMIT_COLOR": "never"}


@pytest.fixture
def repository(tmp_path: Path, environ: dict[str, str]) -> Path:
    """A project whose commits run both hooks, taken from a repository that has them."""
    hooks = tmp_path / "oneiric"
    hooks.mkdir()
    shutil.copy(CHECKOUT / ".pre-commit-hooks.yaml", hooks)
    git(hooks, "init")
    committed(hooks, "hooks")
    root = tmp_path / "shop"
    made(root, Shop())
    revision = git(hooks, "rev-parse", "HEAD").stdout.strip()
    ids = "[{id: oneiric-check}, {id: oneiric-verify}]"
    (root / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {hooks.as_uri()}\n    rev: {revision}\n    hooks: {ids}\n"
    )
    (root / ".gitignore").write_text("__pycache__/\n")
    git(root, "init")
    committed(root, "project")
    installed = pre_commit(root, environ, "install", "--install-hooks")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return root


def test_the_definitions_are_valid(tmp_path: Path, environ: dict[str, str]) -> None:
    done = pre_commit(CHECKOUT, environ, "validate-manifest", ".pre-commit-hooks.yaml")
    assert done.returncode == 0, done.stdout
    (tmp_path / "broken.yaml").write_text(HOOKS.replace("entry:", "entri:"))
    assert pre_commit(tmp_path, environ, "validate-manifest", "broken.yaml").returncode == 1


def test_a_commit_with_fresh_outputs_passes_and_one_with_stale_ones_is_refused(
    repository: Path, environ: dict[str, str]
) -> None:
    settings = repository / "settings/services.yml"
    settings.write_text(settings.read_text().replace("  # kb\n", "  # kb\n  kb: two\n", 1))
    refused = git(repository, "commit", "-am", "select two", **environ)
    assert refused.returncode == 1
    assert "oneiric compile --check" in refused.stderr
    assert "error[ONE502]: generated/wiring.py is stale" in refused.stderr
    git(repository, "add", "-A")
    subprocess.run([sys.executable, "-m", "oneiric_compiler", "compile"], cwd=repository, check=True, timeout=SECONDS)
    half = git(repository, "commit", "-m", "select two", **environ)
    assert half.returncode == 1, "the outputs are compiled, but not staged"
    git(repository, "add", "-A")
    passed = git(repository, "commit", "-m", "select two", **environ)
    assert passed.returncode == 0, passed.stderr


def test_a_file_that_is_deleted_is_noticed(repository: Path, environ: dict[str, str]) -> None:
    git(repository, "rm", "-q", "settings/tenants/zeta.yml")
    refused = git(repository, "commit", "-m", "no zeta", **environ)
    assert refused.returncode == 1
    assert "ONE502" in refused.stderr


def test_an_edited_winner_is_refused_by_both(repository: Path, environ: dict[str, str]) -> None:
    wiring = repository / "generated/wiring.py"
    wiring.write_text(wiring.read_text().replace("KaOne", "KaTwo"))
    refused = git(repository, "commit", "-am", "by hand", **environ)
    assert refused.returncode == 1
    assert refused.stderr.count("Failed") == 2
    assert "error[ONE503]" in refused.stderr
    assert "does not hold generated" in refused.stderr
