"""The cases beside this module: found, copied, compiled; see README.md for what a case folder holds."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import oneiric
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Outputs, Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.diagnostics.render import as_text
import pytest

from tests.builtins import builtins_below

HERE = Path(__file__).parent
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def want(self) -> dict[str, bytes]:
        """The wanted files: their paths below `want/`, and their bytes."""
        want = self.folder / "want"
        files = (file for file in sorted(want.rglob("*")) if file.is_file())
        return {file.relative_to(want).as_posix(): file.read_bytes() for file in files}

    @property
    def succeeds(self) -> bool:
        return "wiring.py" in self.want or any(name.endswith("/wiring.py") for name in self.want)

    @property
    def own_builtins(self) -> bool:
        """Whether the case brings a set of built-ins that is not the installed one."""
        return (self.folder / "builtins").is_dir()

    def copied(self, into: Path) -> Path:
        """A copy of the case's inputs: a project folder."""
        return shutil.copytree(self.folder, into / self.name, ignore=shutil.ignore_patterns("want", "__pycache__"))


def all_cases() -> list[Case]:
    return [Case(folder) for folder in sorted(HERE.iterdir()) if folder.is_dir() and folder.name[0] not in "_."]


def compile_case(root: Path) -> tuple[Outputs | None, Diagnostics]:
    """Compiles the project of a copied case as its `options.json`, `env` and `overrides.json` say."""
    options = json.loads(_text(root / "options.json") or "{}")
    diagnostics = Diagnostics(strict=options.get("strict", False))
    lines = _text(root / "env").splitlines()
    environ = dict(line.split("=", 1) for line in lines if line)
    overrides = root / "overrides.json"
    with surroundings(root):
        project = replace(Project.at(root, environ, overrides if overrides.exists() else None), evaluated_at=NOW)
        return compile_project(project, diagnostics, profile=options.get("profile")), diagnostics


@contextmanager
def surroundings(root: Path) -> Iterator[None]:
    """What the case says is installed: its `plugins/` on sys.path, and which built-ins there are."""
    installed = (root / "installed-builtins").exists()
    folder = Path(oneiric.__file__).parents[1] if installed else root / "builtins"
    with pytest.MonkeyPatch.context() as patch, builtins_below(folder):
        patch.syspath_prepend(root / "plugins")
        yield


@dataclass(frozen=True)
class Compiled:
    root: Path
    """Where it was compiled: no longer there."""
    outputs: Outputs | None
    diagnostics: Diagnostics


@cache
def compiled(case: Case) -> Compiled:
    """What a case compiles to, once for all tests of a process that only look at it."""
    with tempfile.TemporaryDirectory() as folder:
        root = case.copied(Path(folder))
        return Compiled(root, *compile_case(root))


def produced(outputs: Outputs | None, diagnostics: Diagnostics) -> dict[str, bytes]:
    """What a compile gave, laid out as `want/` is."""
    files: dict[str, bytes] = {}
    if text := as_text(diagnostics):
        files["errors.txt"] = text.encode()
    for profile, (_, found) in (outputs.profiles if outputs else {}).items():
        files |= {name if profile == "default" else f"{profile}/{name}": data for name, data in found.items()}
    return files


def _text(file: Path) -> str:
    return file.read_text("utf-8") if file.exists() else ""
