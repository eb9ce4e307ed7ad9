"""`oneiric:runtime`: what a component may ask of the application it runs in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from oneiric import UnknownTenant

from tests.unit.cli.running import run as command
from tests.unit.runtime.making import run
from tests.unit.runtime.projects import compiled, made, of

if TYPE_CHECKING:
    from oneiric import Application

PARTS = """
from typing import Protocol

from oneiric import Application, component


class Part(Protocol):
    def application(self) -> Application: ...


class Base:
    def __init__(self, *, application: Application, name: str = "", other: object = None) -> None:
        self.given = application

    def application(self) -> Application:
        return self.given


@component("service", "one", provider="std", port="asks.parts:Part", eager=True,
           needs={"application": "oneiric:runtime", "other": "service:two"})
class One(Base): ...


@component("service", "two", provider="std", port="asks.parts:Part", needs={"application": "oneiric:runtime"})
class Two(Base): ...
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {
        "settings/app.yml": "name: asks\npackages: [asks]\n",
        "settings/tenants/acme.yml": "services: {provider_settings: {two/std: {name: acme}}}\n",
        "settings/tenants/plain.yml": "",
        "asks/__init__.py": "",
        "asks/parts.py": PARTS,
    }
    return made(tmp_path, monkeypatch, "asks", files)


def test_the_bases_components_see_every_tenant(project: Path) -> None:
    async def story() -> None:
        async with of(project) as runtime:
            application: Application = runtime.wiring.services.one.live.application()
            assert application.tenants() == ("acme", "plain")
            assert application.tenant("acme") is runtime.tenant("acme")
            with pytest.raises(UnknownTenant):
                application.tenant("zeta")
            await runtime.use("service", "two", tenant="acme")
            assert [(each.tenant, each.key) for each in await application.health()] == [
                (None, "service:one"),
                (None, "service:two"),
                ("acme", "service:two"),
            ]
            assert application.paused() == {}
        assert application.tenants() == ("acme", "plain")

    run(story(), within=120)


def test_a_tenants_own_instance_sees_that_tenant_alone(project: Path) -> None:
    (project / "settings/tenants/plain.yml").write_text("services: {provider_settings: {two/std: {name: plain}}}\n")
    compiled(project)

    async def story() -> None:
        async with of(project) as runtime:
            application: Application = (await runtime.use("service", "one", tenant="acme")).application()
            await runtime.use("service", "one", tenant="plain")
            assert application.tenants() == ("acme",)
            assert application.tenant("acme") is runtime.tenant("acme")
            for name in ("plain", "zeta"):
                with pytest.raises(UnknownTenant):
                    application.tenant(name)
            assert {each.tenant for each in await application.health()} == {None, "acme"}

    run(story(), within=120)


def test_what_a_reload_makes_sees_the_application_after_it(project: Path) -> None:
    async def story() -> None:
        async with of(project) as runtime:
            (project / "settings/tenants/late.yml").write_text("")
            (project / "settings/services.yml").write_text("provider_settings: {one/std: {name: another}}\n")
            before: Application = runtime.wiring.services.one.live.application()
            compiled(project)
            assert (await runtime.reload()).accepted
            after: Application = runtime.wiring.services.one.live.application()
            assert before is not after
            assert before.tenants() == after.tenants() == ("acme", "late", "plain")

    run(story(), within=120)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("self._application", "self._wiring.services.two.live"),
        ("self._application", "None"),
        ("other=self._wiring.services.two.live", "other=self._application"),
    ],
)
def test_an_edited_wiring_does_not_verify(project: Path, before: str, after: str) -> None:
    path = project / "generated/wiring.py"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    assert command("verify", cwd=project).returncode == 1


def test_explain_tells_of_it(project: Path) -> None:
    assert "oneiric:runtime for application" in command("explain", "service:one", cwd=project).stdout
