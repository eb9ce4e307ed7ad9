"""Projects that `oneiric init` makes: each passes its own tests, types and checks, and is committed whole."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from oneiric_compiler.cli.scaffold import Template

from tests.unit.cli.running import DEADLINE, environment, run

PAGES = Path(__file__).parents[3] / "docs" / "how-to"


@pytest.fixture(scope="module")
def types_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("types")


def tool(project: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=5 * DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("template", Template)
def test_a_new_project_passes_what_its_ci_asks(template: Template, tmp_path: Path, types_cache: Path) -> None:
    made = run("init", "new", "--template", template, "--name", "my-app", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    project = tmp_path / "new"
    for arguments in (("compile", "--check", "--strict"), ("verify",), ("env", "--check")):
        done = run(*arguments, cwd=project)
        assert done.returncode == 0, done.stderr
    if template != "shop":  # all of which the others have
        tool(project, "mypy", "--cache-dir", str(types_cache))
    tool(project, "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly")
    git = ("git", "-C", str(project))
    subprocess.run([*git, "init", "-q"], check=True, timeout=DEADLINE)
    subprocess.run([*git, "add", "-A"], check=True, timeout=DEADLINE)
    named = subprocess.run([*git, "ls-files"], check=True, timeout=DEADLINE, capture_output=True, text=True).stdout
    left = [name for name in named.splitlines() if name.endswith((".pyc", ".db", ".j2")) or "{{" in name]
    assert left == []
    assert 'name = "my-app"' in (project / "pyproject.toml").read_text()


@pytest.mark.parametrize("name", ["", "-shop", "my shop", "a/b", "shop.", "größe"])
def test_a_name_that_is_none_is_refused_before_anything_is_written(name: str, tmp_path: Path) -> None:
    done = run("init", "new", "--name", name, cwd=tmp_path)
    assert done.returncode == 2
    assert "is no name for an application" in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["shop/web.py", "tests/test_web.py"])
def test_the_page_of_fastapi_has_the_files_of_the_template(name: str) -> None:
    page = (PAGES / "fastapi.md").read_text("utf-8")
    (block,) = re.findall(rf"```python\n# {re.escape(name)}\n(.*?)```", page, re.DOTALL)
    assert block == (PAGES.parents[1] / "templates" / "init" / "api" / name).read_text("utf-8")
