"""The modules that a compiled application's start imports: `imports.txt`, the same on every Python."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.projects import COMMAND, write_project
from tests.budgets.counting import RUNTIME, run
from tests.determinism.environments import SUPPORTED, interpreter

KNOWN = Path(__file__).parent / "imports.txt"
SCRIPT = f"""\
import sys
sys.path[:0] = ["", {RUNTIME!r}]
before = set(sys.modules)
from generated.wiring import Wiring
from oneiric import Runtime
runtime = Runtime(Wiring)
slot = runtime.wiring.adapters.store_7
print(*sorted(set(sys.modules) - before), sep="\\n")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled project with a handful of keys."""
    folder = tmp_path_factory.mktemp("imports")
    write_project(folder, 40)
    run(folder, f"import sys; sys.argv = ['oneiric', 'compile']; {COMMAND}")
    return folder


@pytest.mark.golden
@pytest.mark.parametrize("version", SUPPORTED)
def test_a_start_imports_these_modules(version: str, project: Path, updating: bool) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version}")
    started = subprocess.run(
        [python, "-S", "-E", "-B", "-c", SCRIPT], cwd=project, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    if updating:
        KNOWN.write_text(started, "utf-8")
    assert started == KNOWN.read_text("utf-8")
