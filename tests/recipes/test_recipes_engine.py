"""How to give a domain an engine, as CONTRIBUTING.md says: recorded in `engine/`, made in a copy."""

from __future__ import annotations

from pathlib import Path

from tests.recipes.harness import Copy

BY_HAND = {
    "runtime/oneiric/engines/__init__.py",
    "runtime/oneiric/engines/rounds.py",
    "compiler/oneiric_compiler/tables/engines.py",
    "docs/runtime.md",
    "changes/+rounds.added.md",
    "tests/unit/runtime/test_runtime_rounds.py",
}
"""The first engine brings the package, too."""
MADE = {f"generated/{folder}{name}" for folder in ("", "production/") for name in ("explain.json", "wiring.py")}


def test_an_engine_takes_six_files(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    assert copy.apply("engine") == BY_HAND
    assert copy.generate() == BY_HAND | MADE
    copy.check("tests/unit/runtime/test_runtime_rounds.py", "tests/layout")
