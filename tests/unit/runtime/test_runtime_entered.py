"""Factories that are entered, and methods of classes, as they run: the base's by code, a tenant's by its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import Runtime

from tests.unit.cli.running import run as command
from tests.unit.runtime.making import run

PARTS = """\
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Protocol

from oneiric import component

STEPS: list[str] = []


class Named(Protocol):
    async def name(self) -> str: ...


class Part:
    def __init__(self, called: str) -> None:
        self.called = called

    async def name(self) -> str:
        return self.called

    @classmethod
    def of(cls, *, called: str) -> "Part":
        return cls(called)


@component("adapter", "low", provider="p", port="entered_parts:Named")
@contextmanager
def low(*, called: str) -> Iterator[Part]:
    STEPS.append(f"enter {called}")
    yield Part(called)
    STEPS.append(f"leave {called}")


@component("adapter", "high", provider="p", port="entered_parts:Named", needs={"low": "adapter:low"})
async def high(*, low: Named) -> AsyncIterator[Part]:
    called = f"{await low.name()} and more"
    STEPS.append(f"enter {called}")
    yield Part(called)
    STEPS.append(f"leave {called}")


class Loud:
    def __init__(self, inner: Named) -> None:
        self.inner = inner

    async def name(self) -> str:
        return (await self.inner.name()).upper()


@component("adapter", "method", provider="loud", layer=True, port="entered_parts:Named")
def loud(*, inner: Named) -> Iterator[Loud]:
    STEPS.append("enter LAYER")
    yield Loud(inner)
    STEPS.append("leave LAYER")
"""
FILES = {
    "settings/app.yml": "name: shop\npackages: [entered_parts]\n",
    "settings/adapters.yml": """\
components:
  - {key: method, provider: m, factory: "entered_parts:Part.of", port: "entered_parts:Named"}
provider_settings: {low/p: {called: base}, m: {called: method}}
layers: {method: [loud]}
""",
    "settings/tenants/acme.yml": "adapters: {provider_settings: {low/p: {called: acme}, m: {called: of acme}}}\n",
    "entered_parts.py": PARTS,
}


def test_the_base_and_a_tenant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    compiled = command("compile", cwd=tmp_path)
    assert compiled.returncode == 0, compiled.stderr

    async def story() -> list[str]:
        import entered_parts  # type: ignore[import-not-found]

        wiring: type[Any] = oneiric.load("generated/wiring.py")
        async with Runtime(wiring) as runtime:
            assert await runtime.wiring.adapters.high.live.name() == "base and more"
            assert await runtime.wiring.adapters.method.live.name() == "METHOD"
            tenant = runtime.tenant("acme")
            assert await tenant.adapters.method.live.name() == "OF ACME"
            assert await tenant.adapters.high.live.name() == "acme and more"
        steps: list[str] = entered_parts.STEPS
        return steps

    steps = run(story())
    for called in ("base", "acme"):
        mine = [each for each in steps if called in each]
        assert mine == [f"{way} {called}{more}" for way, more in (("enter", ""), ("enter", " and more"))] + [
            f"{way} {called}{more}" for way, more in (("leave", " and more"), ("leave", ""))
        ]
    assert [each for each in steps if "LAYER" in each] == ["enter LAYER"] * 2 + ["leave LAYER"] * 2
    assert len(steps) == 12
