"""Small projects for one test: files in, compiled and verified, run by the wiring that this gives."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import Runtime

from tests.unit.cli.running import run as command


def made(root: Path, monkeypatch: pytest.MonkeyPatch, package: str, files: Mapping[str, str]) -> Path:
    """The project, compiled; its package is imported from here, whatever was imported by its name before."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    monkeypatch.syspath_prepend(str(root))
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    sources = [path.removesuffix(".py").removesuffix("/__init__") for path in files if path.endswith(".py")]
    for name in (path.replace("/", ".") for path in sources):
        monkeypatch.setitem(sys.modules, name, sys)  # so that what is imported here is gone after the test
        del sys.modules[name]
    compiled(root)
    return root


def compiled(root: Path, **files: str) -> None:
    """Compile it once more, with these files of its settings, by their stems."""
    for name, text in files.items():
        (root / f"settings/{name}.yml").write_text(text)
    assert command("compile", cwd=root).returncode == 0
    assert command("verify", cwd=root).returncode == 0


def of(root: Path, profile: str = "", **options: Any) -> Runtime[Any]:
    """An application of one of its profiles."""
    return Runtime(oneiric.load(root / "generated" / profile / "wiring.py"), **options)
