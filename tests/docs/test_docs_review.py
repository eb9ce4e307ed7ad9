"""The sessions of docs/review.md happen as they are shown, in a project that `oneiric init` made, on a branch."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from oneiric_compiler.questions.diff.compare import CLASSES

from tests.unit.cli.running import run

PAGE = (Path(__file__).parents[2] / "docs" / "review.md").read_text("utf-8")
SESSIONS = re.findall(r"^    \$ oneiric (.+)\n((?:    .*\n|\n(?=    ))+)", PAGE, re.M)


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def branch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("review") / "shop"
    assert run("init", root.name, cwd=root.parent).returncode == 0
    git(root, "init")
    git(root, "add", "-A")
    git(root, "commit", "-m", "one")
    git(root, "checkout", "-b", "change")
    services = root / "settings/services.yml"
    first = services.read_text().partition("\n")[0]
    match = re.search(r"```yaml\n(.*?)```", PAGE, re.S)
    assert match is not None
    services.write_text(f"{first}\n{match[1]}")
    assert run("compile", cwd=root).returncode == 0
    git(root, "commit", "-am", "two")
    return root


def test_there_are_sessions() -> None:
    assert [command.split()[0] for command, _ in SESSIONS] == ["explain"] * 5 + ["list", "diff", "verify"]


@pytest.mark.parametrize(("command", "shown"), SESSIONS, ids=[command for command, _ in SESSIONS])
def test_a_session(command: str, shown: str, branch: Path) -> None:
    done = run(*command.split(), cwd=branch)
    assert done.stderr == ""
    assert done.stdout == re.sub("^    ", "", shown, flags=re.M).rstrip("\n") + "\n"


def test_every_class_is_in_the_table_in_its_order() -> None:
    table = PAGE.partition("| class | what changed |")[2].partition("\n\n")[0]
    assert tuple(re.findall(r"^\| `([a-z]+)` \|", table, re.M)) == CLASSES


def test_a_report_comes_from_git_through_a_pipe_as_shown(branch: Path) -> None:
    match = re.search(r"`oneiric (diff <\(.+?\) \S+)`", PAGE)
    assert match is not None
    command = f"{sys.executable} -m oneiric_compiler {match[1]}"
    done = subprocess.run(["bash", "-c", command], cwd=branch, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "prepaid -> invoice" in done.stdout
