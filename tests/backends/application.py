"""Applications of one key, compiled for tests."""

from __future__ import annotations

import json
from pathlib import Path

from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project


def compiled(folder: Path, key: str, provider: str | None, settings: dict[str, object]) -> Path:
    """The `wiring.py` of an application that serves a key by a provider (None: by default)."""
    (folder / "settings").mkdir(parents=True)
    (folder / "settings/app.yml").write_text("name: probe\n")
    chosen = {"selections": {key: provider}, "provider_settings": {f"{key}/{provider}": settings}} if provider else {}
    (folder / "settings/adapters.yml").write_text(json.dumps(chosen))
    diagnostics = Diagnostics()
    outputs = compile_project(Project.at(folder, {}), diagnostics)
    assert outputs is not None, list(diagnostics)
    path = folder / "wiring.py"
    for name, content in outputs.profiles["default"][1].items():
        (folder / name).write_bytes(content)
    return path
