"""The page of upstream's providers, and the settings of its README."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.editor.builtin_schemas import settings_schemas
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project

from tests.docs.test_docs import ROOT
from tests.samples import sample

PAGE = (ROOT / "docs/upstream.md").read_text("utf-8")
THERE = {name.removesuffix(".schema.json") for name in settings_schemas()}


def named(text: str) -> set[str]:
    """The providers in the first column of a table."""
    return {name for row in re.findall(r"^\| (.*?) \|", text, re.M) for name in re.findall(r"`([\w-]+/[\w-]+)`", row)}


def test_what_is_said_to_be_here_is_and_what_is_not_built_is_not() -> None:
    here, _, missing = PAGE.partition("## Not built")
    assert named(here) <= THERE
    assert not named(missing) & THERE
    assert len(named(here) | named(missing)) > 50


def test_the_settings_of_upstreams_readme_compile_but_for_one_name_that_is_answered(tmp_path: Path) -> None:
    if not (settings := sample("readme-adapters.yml")).exists():
        pytest.skip(f"there is no {settings}")
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings/app.yml").write_text("name: shop\n")
    adapters = Path(shutil.copy(settings, tmp_path / "settings/adapters.yml"))
    diagnostics = Diagnostics()
    assert compile_project(Project.at(tmp_path, {}), diagnostics) is None
    (told,) = diagnostics
    assert told.help == "`max_size` is called `max_connections` here"
    adapters.write_text(adapters.read_text().replace("max_size", "max_connections"))
    outputs = compile_project(Project.at(tmp_path, {}), Diagnostics())
    assert outputs is not None
    wiring = outputs.profiles["default"][1]["wiring.py"].decode()
    for provider in ("redis", "postgres", "gcs", "gcp-secret-manager", "logfire"):
        assert f'provider="{provider}"' in wiring
