"""Every document that a command writes has a versioned format, with a schema and a line of docs/command.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
KEPT = {"follower", "lock", "notes", "remote", "signature", "state"}
"""Formats of files, which no command writes to its output."""


def test_formats_of_the_code_schemas_and_docs_are_the_same() -> None:
    sources = [*(CHECKOUT / "compiler").rglob("*.py"), *(CHECKOUT / "runtime").rglob("*.py")]
    named = {name for path in sources for name in re.findall(r'"oneiric\.([a-z-]+)/1"', path.read_text())} - KEPT
    patterns = {
        path.name.removesuffix(".schema.json"): schema["properties"]["format"]["pattern"]
        for path in (CHECKOUT / "schemas").glob("*.json")
        if "pattern" in (schema := json.loads(path.read_text())).get("properties", {}).get("format", {})
    }
    assert {*patterns} == named
    for name, pattern in patterns.items():
        assert pattern == rf"^oneiric\.{name}/1(\.[0-9]+)?$"
    docs = (CHECKOUT / "docs/command.md").read_text()
    assert [name for name in named if f"`oneiric.{name}/1`" not in docs] == []


def test_no_command_writes_json_without_a_format() -> None:
    """All of them go through one function, or render diagnostics."""
    folder = CHECKOUT / "compiler/oneiric_compiler/cli"
    assert [path.name for path in folder.glob("*.py") if "json.dumps" in path.read_text()] == ["output.py"]
