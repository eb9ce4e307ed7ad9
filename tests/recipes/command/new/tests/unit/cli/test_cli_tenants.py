"""`oneiric tenants` in this project."""

from __future__ import annotations

from pathlib import Path

from oneiric_compiler.cli.app import app
from typer.testing import CliRunner


def test_tenants_are_listed() -> None:
    done = CliRunner().invoke(app, ["--project", str(Path(__file__).parents[3]), "tenants"])
    assert (done.exit_code, done.stdout) == (0, "acme\nglobex\n"), done.output
