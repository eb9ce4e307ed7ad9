from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.serve.serving import copy_project, make_project


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("made") / "lab")


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """A compiled project of the test's own."""
    return copy_project(made, tmp_path / "lab")
