"""The pages of events and of tasks: their projects compile, and what they show in Python runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.stages.write import write

from tests.docs.test_docs import ROOT, blocks

APP = "name: shop\npackages: [shop]\n"
ADAPTERS = "selections: {engine: inline}\n"


@pytest.mark.parametrize("page", ["events", "tasks"])
def test_the_project_compiles_and_its_example_runs(page: str, tmp_path: Path) -> None:
    files = {"settings/app.yml": APP, "settings/adapters.yml": ADAPTERS, "shop/__init__.py": ""}
    path = ROOT / f"docs/{page}.md"
    for language in ("python", "yaml"):
        for text in blocks(path, language):
            if match := re.match(r"# ([a-z/]+\.(?:py|yml))\n", text):
                files[match[1]] = text
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    diagnostics = Diagnostics()
    outputs = compile_project(Project.at(tmp_path, {}), diagnostics)
    assert outputs is not None, list(diagnostics)
    write(outputs, diagnostics)
    for example in (text for text in blocks(path, "python") if "from generated.wiring" in text):
        (tmp_path / "example.py").write_text(
            f"{example}\n\nimport asyncio\n\nasyncio.run(asyncio.wait_for(main(), 30))\n"
        )
        done = subprocess.run(
            [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
