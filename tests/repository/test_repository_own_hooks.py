"""The hooks that a commit to this repository runs: each passes on what is committed, and refuses what it looks for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.repository.repositories import copied, git, pre_commit

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIG = ".pre-commit-config.yaml"
HOOKS = [hook for each in yaml.safe_load((CHECKOUT / CONFIG).read_text())["repos"] for hook in each["hooks"]]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What would be committed here, in a repository of its own."""
    root = tmp_path_factory.mktemp("checkout")
    copied(root)
    return root


@pytest.fixture(scope="module")
def environ(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment that commits, as if the copy were what is installed in it."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{repository / 'compiler'}{os.pathsep}{repository / 'runtime'}",
        "PRE_COMMIT_HOME": str(tmp_path_factory.mktemp("pre-commit")),
        "PRE_COMMIT_COLOR": "never",
        "NO_COLOR": "1",
    }


def test_they_are_local_and_run_what_the_environment_has() -> None:
    assert [each["repo"] for each in yaml.safe_load((CHECKOUT / CONFIG).read_text())["repos"]] == ["local"]
    assert {hook["language"] for hook in HOOKS} == {"system"}


def test_all_pass_on_what_is_committed(repository: Path, environ: dict[str, str]) -> None:
    types = {"MYPY_CACHE_DIR": str(CHECKOUT / ".mypy_cache")}  # for whoever checks the types next
    done = pre_commit(repository, environ | types, "run", "--all-files")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Passed") == len(HOOKS), done.stdout
    assert git(repository, "diff", "--stat").stdout == ""


def appended(text: str) -> Callable[[str], str]:
    return lambda before: before + text


REFUSED = {
    "ruff-check": ("runtime/oneiric/errors.py", appended("import os\n"), "F401"),
    "ruff-format": ("runtime/oneiric/errors.py", appended("X = ( 1 )\n"), "1 file reformatted"),
    "mypy": ("runtime/oneiric/errors.py", appended("def last() -> int:\n    return ''\n"), "[return-value]"),
    "lint-imports": ("runtime/oneiric/errors.py", appended("import oneiric_compiler\n"), "BROKEN"),
    "oneiric-check": ("shop/orders.py", lambda _: "", "error[ONE"),
    "generated": ("README.md", lambda before: before.replace("[cache](", "["), "stale: README.md"),
    "changes": ("changes/no-kind.md", lambda _: "text", "Invalid news fragment name: no-kind.md"),
}


@pytest.mark.parametrize("hook", [hook["id"] for hook in HOOKS])
def test_each_refuses_what_it_looks_for(hook: str, repository: Path, environ: dict[str, str]) -> None:
    name, edit, told = REFUSED[hook]
    path = repository / name
    before = path.read_text() if path.exists() else ""
    path.write_text(edit(before))
    git(repository, "add", "-A")
    try:
        done = pre_commit(repository, environ, "run", hook)
    finally:
        path.write_text(before) if before else path.unlink()
        git(repository, "add", "-A")
    assert done.returncode == 1, done.stdout
    assert told in done.stdout
