"""`eager` and `restart` as settings state them, compiled, and what a runtime makes of that."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import Runtime
from oneiric.lifecycle import looks
from oneiric.runtime import host_of
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.stages.write import write
from oneiric_compiler.verify import verify

from tests.unit.runtime.making import run

PARTS = """\
from oneiric import component

@component("service", "patient", provider="p", eager=True)
class Patient:
    def __init__(self) -> None:
        self.well = True
        self.closes = 0
    def health(self) -> bool:
        return self.well
    def close(self) -> None:
        self.closes += 1

@component("service", "other", provider="p")
class Other(Patient): ...
"""


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"PERIOD": 0.01, "FIRST": 0.01, "LONGEST": 0.02}.items():
        monkeypatch.setattr(looks, name, seconds)


def wired(root: Path, monkeypatch: pytest.MonkeyPatch, settings: str, tenant: str = "{}") -> type[Any]:
    package = f"options_{root.name}"
    files = {
        f"{package}/__init__.py": "",
        f"{package}/parts.py": PARTS,
        "settings/app.yml": f"name: shop\npackages: [{package}]\n",
        "settings/services.yml": settings,
        "settings/tenants/acme.yml": f"services: {tenant}\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.syspath_prepend(root)
    diagnostics = Diagnostics()
    outputs = compile_project(Project.at(root, {}), diagnostics)
    assert outputs is not None, [each.message for each in diagnostics]
    files_of = outputs.profiles["default"][1]
    assert [*verify(json.loads(files_of["explain.json"]), files_of["wiring.py"], files_of["tenants.jsonl"])] == []
    write(outputs, diagnostics)
    for name in (package, f"{package}.parts"):
        sys.modules.pop(name, None)
    return oneiric.load(root / "generated/wiring.py")


async def until(what: Callable[[], object]) -> None:
    """The deadline is that of `run`."""
    while not what():
        await asyncio.sleep(0.001)


def test_what_settings_let_restart_is_restarted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wiring = wired(tmp_path, monkeypatch, "restart: {patient: on-failure}\n")

    async def day() -> None:
        async with Runtime(wiring) as runtime:
            slot = runtime.wiring.services.patient
            old = slot.current
            old.well = False
            await until(lambda: slot.current is not old)
            await until(lambda: old.closes == 1)

    run(day())


def test_settings_say_what_is_eager_whatever_is_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wiring = wired(tmp_path, monkeypatch, "eager: {patient: false, other: true}\n")

    async def day() -> None:
        async with Runtime(wiring) as runtime:
            assert [slot.key for slot in host_of(runtime).active] == ["service:other"]
            assert host_of(runtime).looks is None

    run(day())


@pytest.mark.parametrize("base", ["never", "on-failure"])
def test_a_tenant_s_own_instance_is_restarted_as_its_settings_say(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenants = "on-failure" if base == "never" else "never"
    wiring = wired(tmp_path, monkeypatch, f"restart: {{patient: {base}}}\n", f"{{restart: {{patient: {tenants}}}}}")

    async def day() -> None:
        async with Runtime(wiring) as runtime:
            shared, own = runtime.wiring.services.patient, runtime.tenant("acme").services.patient
            first = shared.current
            async with own.lease() as second:
                assert second is not first
            kept, restarted = (shared, own) if base == "never" else (own, shared)
            before = kept.current, restarted.current
            for each in before:
                each.well = False
            await until(lambda: restarted.current is not before[1])
            assert kept.current is before[0]

    run(day())
