"""The engine of services: from a declaration to calls, by the wiring that a compile makes of it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from oneiric import Runtime, load
from oneiric.engines.rounds import Rounds
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.verify import verify

PARTS = """\
from oneiric import component


@component("service", "sweep", provider="std")
class Sweep:
    calls = 0

    async def run(self) -> None:
        Sweep.calls += 1
        if Sweep.calls == 1:
            raise OSError("not yet")
"""


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings/app.yml").write_text("name: shop\npackages: [sweeping]\n")
    (tmp_path / "sweeping.py").write_text(PARTS)
    outputs = compile_project(Project.at(tmp_path, {}), Diagnostics())
    assert outputs is not None
    files = outputs.profiles["default"][1]
    (tmp_path / "wiring.py").write_bytes(files["wiring.py"])
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(Rounds, "period", 0.001)
    return {**files, "path": str(tmp_path / "wiring.py").encode()}


def test_the_report_and_the_wiring_name_it(compiled: dict[str, bytes]) -> None:
    report = json.loads(compiled["explain.json"])
    assert report["engines"] == {"service": "oneiric.engines.rounds:Rounds"}
    assert list(verify(report, compiled["wiring.py"], b"")) == []
    other = compiled["wiring.py"].replace(b"rounds:Rounds", b"others:Other")
    assert any("engine" in finding for finding in verify(report, other, b""))
    none = compiled["wiring.py"].replace(b'    __engine__ = "oneiric.engines.rounds:Rounds"\n', b"")
    assert any("engine" in finding for finding in verify(report, none, b""))
    smuggled = {**report, "engines": {"service": "shop.parts:Other"}}
    foreign = compiled["wiring.py"].replace(b"oneiric.engines.rounds:Rounds", b"shop.parts:Other")
    assert "shop.parts:Other is not an engine of the runtime" in list(verify(smuggled, foreign, b""))


def test_every_component_is_called_again_and_again_also_after_a_failure(compiled: dict[str, bytes]) -> None:
    async def story() -> None:
        async with Runtime(load(compiled["path"].decode())):
            parts: Any = None
            async with asyncio.timeout(20):
                while parts is None or parts.Sweep.calls < 3:
                    parts = sys.modules.get("sweeping")
                    await asyncio.sleep(0.001)
        calls = parts.Sweep.calls
        await asyncio.sleep(0.01)
        assert parts.Sweep.calls == calls

    asyncio.run(story())
