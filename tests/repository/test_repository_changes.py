"""The files in `changes/`, and the changelog that a release makes of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.repositories import SECONDS, committed, git

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """What a release needs of this repository."""
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(CHECKOUT / name, tmp_path)
    shutil.copytree(CHECKOUT / "changes", tmp_path / "changes")
    (tmp_path / "changes/+sample.fixed.md").write_text("A line, and\nanother one.\n")
    git(tmp_path, "init")
    committed(tmp_path, "unreleased")
    return tmp_path


def towncrier(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "towncrier", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_the_draft_has_each_of_them_as_one_entry(repository: Path) -> None:
    done = towncrier(repository, "build", "--draft", "--version", "7.0.0", "--date", "2030-01-02")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("## 7.0.0 (2030-01-02)\n\n### ")
    assert "\n### Fixed\n\n- " in done.stdout
    for path in (repository / "changes").iterdir():
        assert "- " + path.read_text().strip().replace("\n", "\n  ") + "\n" in done.stdout, path.name
    assert done.stdout.count("\n- ") == len([*(repository / "changes").iterdir()])


def test_a_release_moves_them_above_the_last_one(repository: Path) -> None:
    head = (repository / "CHANGELOG.md").read_text()
    for version in ("7.0.0", "7.1.0"):
        done = towncrier(repository, "build", "--yes", "--version", version, "--date", "2030-01-02")
        assert done.returncode == 0, done.stderr
        assert [*repository.glob("changes/*")] == []
        (repository / "changes").mkdir(exist_ok=True)
        (repository / "changes/+later.removed.md").write_text("The old spelling.\n")
        committed(repository, version)
    changelog = (repository / "CHANGELOG.md").read_text()
    assert changelog.startswith(head)
    titles = re.findall(r"^##? .*", changelog, re.MULTILINE)
    assert titles[:3] == ["# Changelog", "## 7.1.0 (2030-01-02)", "## 7.0.0 (2030-01-02)"]
    assert changelog.index("- The old spelling.\n") < changelog.index("- A line, and\n  another one.\n")
