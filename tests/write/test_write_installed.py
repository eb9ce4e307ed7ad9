"""Factories of installed distributions: read, not imported, and an input that `--check` holds the outputs against."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.running import run

CLIENT = """\
raise RuntimeError("imported")


class Client:
    def __init__(self, *, size: int = 1) -> None: ...
"""
SETTINGS = {
    "settings/app.yml": "name: shop\nallow: [acme_clients]\n",
    "settings/adapters.yml": "components:\n  - {key: a, provider: p, factory: 'acme_clients.client:Client'}\n",
}


def install(folder: Path, version: str, source: str = CLIENT) -> None:
    """As an installer leaves it."""
    for old in folder.glob("*.dist-info/*"):
        old.unlink()
    info = folder / f"acme_clients-{version}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (folder / "acme_clients").mkdir(exist_ok=True)
    (folder / "acme_clients/__init__.py").write_text("")
    (folder / "acme_clients/client.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-clients\nVersion: {version}\n")
    (info / "RECORD").write_text("acme_clients/__init__.py,,\nacme_clients/client.py,,\n")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in SETTINGS.items():
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_text(text)
    install(tmp_path / "site", "1.0")
    return tmp_path / "project"


def test_another_version_makes_the_outputs_stale(project: Path) -> None:
    site = project.parent / "site"
    assert run("compile", cwd=project, PYTHONPATH=str(site)).returncode == 0
    report = json.loads((project / "generated/explain.json").read_text())
    assert report["inputs"]["distributions"] == {"acme-clients": "1.0"}
    assert run("compile", "--check", cwd=project, PYTHONPATH=str(site)).returncode == 0
    old = (project / "generated/explain.json").rename(project / "old.json")
    old.with_name("generated").joinpath("explain.json").write_bytes(old.read_bytes())
    install(site, "1.1")
    checked = run("compile", "--check", cwd=project, PYTHONPATH=str(site))
    assert checked.returncode == 1
    assert "ONE502" in checked.stderr
    assert run("compile", cwd=project, PYTHONPATH=str(site)).returncode == 0
    told = run("diff", "old.json", "generated/explain.json", cwd=project).stdout
    assert "distributions acme-clients" in told
    assert "1.1" in told


def test_one_that_is_gone_is_an_error(project: Path) -> None:
    site = project.parent / "site"
    assert run("compile", cwd=project, PYTHONPATH=str(site)).returncode == 0
    checked = run("compile", "--check", cwd=project)
    assert checked.returncode == 2
    assert "ONE213" in checked.stderr


def test_the_project_comes_first(project: Path) -> None:
    """A module under a source root is read there, whatever is installed under its name."""
    (project / "acme_clients").mkdir()
    (project / "acme_clients/client.py").write_text("class Client:\n    pass\n")
    assert run("compile", cwd=project, PYTHONPATH=str(project.parent / "site")).returncode == 0
    assert "distributions" not in json.loads((project / "generated/explain.json").read_text())["inputs"]
