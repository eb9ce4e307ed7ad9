"""The page about pytest is followed: its fixtures, replacements and overrides do what it says."""

from __future__ import annotations

from pathlib import Path

from tests.integrations.howto import Page

PAGE = Page("pytest")


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    root = PAGE.follow(tmp_path / "shop")
    PAGE.test(root)
