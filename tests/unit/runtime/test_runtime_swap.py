"""Swaps of the demo project with the real compiler: explained, for tenants too, and never in the committed output."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import Runtime
from oneiric.runtime import host_of
from oneiric.wiring import file_of

from tests.unit.runtime.making import run

# pytest rewrites these with `ast.parse`, which threads must not do at once before Python 3.12: not from factories
for _name in ("cache.memory", "database.duckdb", "database.sqlite", "queue.memory", "secrets.env", "storage.local"):
    importlib.import_module(f"oneiric.adapters.{_name}")

ROOT = Path(__file__).parents[3]
KEY = "adapter:analytics"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("settings", "generated", "shop"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    paths = os.pathsep.join(str(ROOT / name) for name in ("runtime", "compiler"))
    monkeypatch.setenv("PYTHONPATH", paths)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    check = [sys.executable, "-P", "-m", "oneiric_compiler", "--project", str(tmp_path), "compile", "--check"]
    ran = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def explained(runtime: Runtime[Any]) -> dict[str, Any]:
    path = file_of(host_of(runtime).wiring_class)
    assert path is not None
    report: dict[str, Any] = json.loads(Path(path).with_name("explain.json").read_text())
    bindings: dict[str, Any] = report["bindings"][KEY]
    return bindings


def test_a_swap_is_explained_as_an_override_of_the_base_or_of_a_tenant(project: Path) -> None:
    async def story() -> None:
        loaded = oneiric.load(project / "generated" / "wiring.py")
        async with Runtime(loaded, state=project / ".oneiric" / "shop", project=project, environ={}) as runtime:
            base = runtime.wiring.adapters.analytics  # type: ignore[attr-defined]
            await base.live.fetch("select 1")
            assert (await runtime.swap(KEY, "columnar")).accepted
            assert explained(runtime)["decided_by"] == "override"
            assert base.binding.provider == "columnar"
            await base.live.fetch("select 1")
            assert (await runtime.swap(KEY, "embedded", tenant="acme")).accepted
            assert explained(runtime)["tenants"]["acme"]["decided_by"] == "tenant-override"
            acme = runtime.tenant("acme").adapters.analytics  # type: ignore[attr-defined]
            await acme.live.fetch("select 1")
            assert (acme.binding.provider, base.binding.provider) == ("embedded", "columnar")
            refused = await runtime.swap(KEY, "nothing")
            assert (refused.accepted, refused.code) == (False, "compile")
            assert "ONE301" in str(refused.reason)
            assert (await runtime.rollback()).accepted
            assert acme.binding.provider == "columnar"
            assert (await runtime.swap(KEY, None)).generation == loaded.__generation__

    run(story(), within=60)
