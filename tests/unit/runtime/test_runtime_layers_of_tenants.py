"""Layers from settings to calls: of the base and of tenants, while reloads change both."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oneiric import Runtime, load
from oneiric.errors import LoadError
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.verify import verify

from tests.unit.runtime.making import run

PARTS = """
import json
from typing import Protocol

from oneiric import component

MADE, CLOSED = [], []


class Http(Protocol):
    async def get(self, url: str) -> str: ...


class Part:
    def __init__(self, name):
        self.name = name
        MADE.append(name)

    async def aclose(self):
        CLOSED.append(self.name)


@component("service", "http", provider="plain", port="layered.parts:Http")
class Plain(Part):
    def __init__(self) -> None:
        super().__init__("plain")

    async def get(self, url: str) -> str:
        return url


@component("service", "http", provider="other", stack_level=-1)
class Other(Part):
    def __init__(self) -> None:
        super().__init__("other")

    async def get(self, url: str) -> str:
        return f"other {url}"


@component("service", "http", provider="named", layer=True, needs={"audit": "service:audit"})
class Named(Part):
    def __init__(self, *, inner: Http, name: str, audit: object) -> None:
        super().__init__(name)
        self.inner = inner

    async def get(self, url: str) -> str:
        return f"{self.name}({await self.inner.get(url)})"


@component("service", "audit", provider="std")
class Audit: ...


@component("service", "user", provider="std", needs={"http": "service:http"}, port="layered.parts:Http")
class User:
    def __init__(self, *, http: Http) -> None:
        self.http = http

    async def get(self, url: str) -> str:
        return f"user({await self.http.get(url)})"
"""
BASE = "layers: {http: [named:a, named:b]}\nprovider_settings: {http/named:a: {name: a}, http/named:b: {name: b}}\n"
OWN = "services: {provider_settings: {http/named:b: {name: c}}}\n"
LESS = "services: {layers: {http: [named:b]}}\n"
MORE = "services: {layers: {http: [named:d, named:a, named:b]}, provider_settings: {http/named:d: {name: d}}}\n"
NONE = "services: {layers: {http: []}}\n"
SWAPPED = "services: {selections: {http: other}}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "layered").mkdir()
    (tmp_path / "layered/__init__.py").touch()
    (tmp_path / "layered/parts.py").write_text(PARTS)
    (tmp_path / "settings/tenants").mkdir(parents=True)
    (tmp_path / "settings/app.yml").write_text("name: layered\npackages: [layered]\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("layered", "layered.parts"):
        sys.modules.pop(name, None)


_outputs: dict[tuple[str, str], dict[str, bytes]] = {}


def compiled(project: Path, base: str, acme: str) -> Path:
    """The wiring of the project with these settings, in the place of the one before."""
    if (base, acme) not in _outputs:
        (project / "settings/services.yml").write_text(base)
        (project / "settings/tenants/acme.yml").write_text(acme)
        (project / "settings/tenants/zoo.yml").touch()
        diagnostics = Diagnostics()
        outputs = compile_project(Project.at(project, {}), diagnostics)
        assert outputs is not None, list(diagnostics)
        files = _outputs[base, acme] = outputs.profiles["default"][1]
        assert [*verify(json.loads(files["explain.json"]), files["wiring.py"], files["tenants.jsonl"])] == []
    for name, data in _outputs[base, acme].items():
        (project / f"{name}.new").write_bytes(data)
        (project / f"{name}.new").replace(project / name)  # a wiring that runs has its lines mapped
    return project / "wiring.py"


CHANGES = {
    "": "a(b(u))",
    OWN: "a(c(u))",
    LESS: "b(u)",
    MORE: "d(a(b(u)))",
    NONE: "u",
    SWAPPED: "a(b(other u))",
}


@pytest.mark.parametrize("after", CHANGES, ids=["shared", "own", "less", "more", "none", "swapped"])
@pytest.mark.parametrize("before", CHANGES, ids=["shared", "own", "less", "more", "none", "swapped"])
def test_a_tenant_goes_from_its_layers_to_others(project: Path, before: str, after: str) -> None:
    async def story() -> None:
        async with Runtime(load(compiled(project, BASE, before))) as runtime:
            acme = runtime.tenant("acme").services
            http, live, user = acme.http, acme.http.live, acme.user.live
            assert await live.get("u") == CHANGES[before]
            assert await user.get("u") == f"user({CHANGES[before]})"
            assert await runtime.tenant("zoo").services.http.live.get("u") == "a(b(u))"
            compiled(project, BASE, after)
            outcome = await runtime.reload()
            assert (outcome.accepted, outcome.reason, outcome.reports) == (True, None, ())
            assert await live.get("u") == CHANGES[after]
            assert await http.live.get("u") == CHANGES[after]
            assert await user.get("u") == f"user({CHANGES[after]})"
            assert await http.current.get("u") == CHANGES[after]
            assert http.current is runtime.snapshot()[http]
            assert await runtime.wiring.services.user.live.get("u") == "user(a(b(u)))"
            parts: Any = sys.modules["layered.parts"]
        assert sorted(parts.MADE) == sorted(parts.CLOSED)

    run(story())


def test_a_tenant_that_shares_follows_the_layers_of_the_base(project: Path) -> None:
    async def story() -> None:
        async with Runtime(load(compiled(project, BASE, ""))) as runtime:
            http = runtime.tenant("acme").services.http
            live = http.live
            assert await live.get("u") == "a(b(u))"
            compiled(project, BASE.replace("named:a, named:b", "named:b, named:a"), "")
            assert (await runtime.reload()).accepted
            assert await live.get("u") == "b(a(u))"
            compiled(project, "", "")
            assert (await runtime.reload()).accepted
            assert await live.get("u") == "u"
            assert http.current is runtime.wiring.services.http.current
            compiled(project, BASE, "")
            assert (await runtime.reload()).accepted
            assert await live.get("u") == "a(b(u))"
            assert http.current is runtime.wiring.services.http.current

    run(story())


@pytest.mark.parametrize("lost", ["service:http/named:b", "service:http"])
def test_a_lost_line_of_a_layer_is_seen(project: Path, lost: str) -> None:
    path = compiled(project, BASE, OWN)
    lines = path.with_name("tenants.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if f'"key": "{lost}"' not in line]
    assert len(kept) == len(lines) - 1
    path.with_name("tenants.jsonl").write_text("".join(kept))
    with pytest.raises(LoadError, match="service:http"):
        load(path)
