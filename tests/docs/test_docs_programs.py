"""The pages about profiles, programs for the command line, testing and secrets are followed in an empty folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.sessions import Sessions
from tests.integrations.howto import Page
from tests.unit.serve.serving import Served


class Followed:
    """One page, in its folder."""

    def __init__(self, name: str, root: Path) -> None:
        self._page = Page(name)
        self.root = root / "shop"
        self.root.mkdir()
        self.sessions = Sessions(self._page.text, self.root)
        self.sessions.happen("init")

    def write(self, *names: str) -> None:
        """The blocks that are these files, or all of them."""
        for name in names or self._page.files:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(self._page.files[name])


def test_profiles_and_roles(tmp_path: Path) -> None:
    page = Followed("profiles", tmp_path)
    page.sessions.happen("matrix")
    page.write("main.py")
    page.sessions.happen("python main.py", "python main.py")
    page.write()
    page.sessions.happen("compile", "python main.py", "python main.py")
    page.sessions.over()


def test_programs_for_the_command_line(tmp_path: Path) -> None:
    page = Followed("cli", tmp_path)
    page.write()
    page.sessions.happen("python -m shop.cli", "python -m shop.cli", "python -m pytest")
    page.sessions.over()


def test_testing(tmp_path: Path) -> None:
    page = Followed("testing", tmp_path)
    page.write()
    page.sessions.happen("compile --check", "python -m pytest")
    page.sessions.over()


def test_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Followed("secrets", tmp_path)
    page.sessions.happen("env --profile", "env --check", "env --check")
    page.write()
    page.sessions.happen("compile", "mkdir", "env --check")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "mounted")
    with Served(page.root, "--profile", "production", name="shop"):
        page.sessions.done("serve --profile production")
        page.sessions.happen("echo", "secrets rotate")
        page.sessions.over()
