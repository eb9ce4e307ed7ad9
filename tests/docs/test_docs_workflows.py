"""The page of workflows: its project compiles, and what it shows in Python runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from oneiric.engines import hooks
from oneiric.flows.model import ENDED
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.stages.write import write

from tests.docs.test_docs import ROOT, blocks

PAGE = ROOT / "docs/workflows.md"
APP = "name: shop\npackages: [shop]\n"
ADAPTERS = "selections: {engine: inline}\n"


def test_the_project_compiles_and_its_example_runs(tmp_path: Path) -> None:
    files = {"settings/app.yml": APP, "settings/adapters.yml": ADAPTERS, "shop/__init__.py": ""}
    for language in ("python", "yaml"):
        for text in blocks(PAGE, language):
            if match := re.match(r"# ([a-z/]+\.(?:py|yml))\n", text):
                files[match[1]] = text
    (example,) = (text for text in blocks(PAGE, "python") if "from generated.wiring" in text)
    files["example.py"] = f"{example}\n\nimport asyncio\n\nasyncio.run(asyncio.wait_for(main(), 30))\n"
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    diagnostics = Diagnostics()
    outputs = compile_project(Project.at(tmp_path, {}), diagnostics)
    assert outputs is not None, list(diagnostics)
    write(outputs, diagnostics)
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_topics_of_runs_are_those_that_are_told() -> None:
    told = set(re.findall(r"`(workflow\.(?:run|node)\.[a-z]+)`", PAGE.read_text()))
    source = Path(hooks.__file__).read_text()
    ends = {f"run.{state}" for state in ENDED}
    assert told == {f"workflow.{name}" for name in {*re.findall(r'_tell\("([a-z.]+)"', source), *ends}}
