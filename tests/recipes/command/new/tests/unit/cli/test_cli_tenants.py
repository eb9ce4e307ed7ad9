"""`oneiric tenants` in this project."""

from __future__ import annotations

import json
from pathlib import Path

from oneiric_compiler.cli.app import application
from typer.testing import CliRunner

from tests.unit.cli.running import fits


def test_tenants_are_listed() -> None:
    command = ["--project", str(Path(__file__).parents[3]), "tenants"]
    done = CliRunner().invoke(application(), command)
    assert (done.exit_code, done.stdout) == (0, "acme\nglobex\n"), done.output
    fits(json.loads(CliRunner().invoke(application(), [*command, "--json"]).stdout))
