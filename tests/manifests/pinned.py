"""A project with pinned manifests, and what a compile makes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Outputs, Project
from oneiric_compiler.pipeline import compile_project

from tests.golden.signing import PUBLIC, manifest, pin

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MODULE = """
from typing import Protocol


class Cache(Protocol):
    async def get(self, key: str) -> str | None: ...


class Local:
    def __init__(self, *, size: int = 10) -> None:
        self.size = size

    async def get(self, key: str) -> str | None:
        return None


class Fast(Local):
    pass
"""
ACME = MODULE.encode()


def remote(**sources: Mapping[str, Any]) -> str:
    """A remote.yml in which each source is as Acme's, but for what is stated."""
    usual = {"keys": [PUBLIC["a"]], "allow": ["acme", "acme_parts"]}
    listed = [
        {"name": name, "address": f"https://cdn.example/{name}.yaml", **usual, **own} for name, own in sources.items()
    ]
    return json.dumps({"sources": listed})


def write_files(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def pin_of(
    root: Path, source: str, entries: list[dict[str, Any]], artifacts: Mapping[str, bytes] | None = None, **fields: Any
) -> None:
    pin(root, source, manifest(source, entries, **fields), artifacts)


def compiled(root: Path, **more: Any) -> tuple[Outputs | None, dict[str, str], Diagnostics]:
    """The outputs, the codes told with one message of each, and all that was told."""
    diagnostics = Diagnostics()
    project = replace(Project.at(root, {}), evaluated_at=NOW, **more)
    outputs = compile_project(project, diagnostics)
    return outputs, {each.code: each.message for each in diagnostics}, diagnostics


def report(root: Path, **more: Any) -> Any:
    outputs, told, _ = compiled(root, **more)
    assert outputs is not None, told
    return json.loads(outputs.profiles["default"][1]["explain.json"])


def wiring(root: Path) -> str:
    outputs, told, _ = compiled(root)
    assert outputs is not None, told
    return outputs.profiles["default"][1]["wiring.py"].decode()


def refused(root: Path, code: str, *warned: str) -> str:
    outputs, told, diagnostics = compiled(root)
    assert outputs is None
    assert set(told) == {code, *warned}, list(diagnostics)
    assert all(each.help for each in diagnostics)
    return told[code]


def fates(report: Any, key: str) -> dict[str, str]:
    found = report["bindings"][key]["candidates"]
    return {each["provider"]: each.get("excluded_by") or each.get("lost_by") or "won" for each in found}
