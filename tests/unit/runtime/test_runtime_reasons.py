"""What an activation that fails says: which secret, variable or module, where it was looked for, for which setting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from oneiric import ActivationError, LoadError, PortError, Runtime, load
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.stages.write import write

from tests.unit.runtime.making import run

PARTS = """
from oneiric import Secret, component


@component("adapter", "mail", provider="relay")
class Smtp:
    def __init__(
        self, *, password: Secret, port: int = 25, hosts: list[str] | None = None, pin: Secret | None = None
    ) -> None:
        self.password, self.port = password, port
"""
SETTINGS = """
provider_settings:
  relay:
    password: ${ONEIRIC_SECRET_SMTP}
    port: ${SMTP_PORT:-25}
    hosts: ["${SMTP_HOST:-localhost}", "${SMTP_FALLBACK}", "${FIRST:-${SECOND:?name a second one}}"]
    pin: ${PIN:-${ONEIRIC_SECRET_PIN}}
"""
TENANT = "adapters: {provider_settings: {relay: {password: '${ONEIRIC_SECRET_ACME}'}}}"
COMPLETE = {"ONEIRIC_SECRET_SMTP": "s", "ONEIRIC_SECRET_ACME": "a", "SMTP_FALLBACK": "b", "FIRST": "c", "PIN": "1234"}


@pytest.fixture
def root(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose package has a name of this test's own, compiled, and on the path."""
    package = re.sub(r"\W", "_", request.node.name)
    for name, text in {
        f"{package}/__init__.py": "",
        f"{package}/parts.py": PARTS,
        "settings/app.yml": f"name: stall\npackages: [{package}]\n",
        "settings/adapters.yml": SETTINGS,
        "settings/tenants/acme.yml": TENANT,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    diagnostics = Diagnostics()
    outputs = compile_project(Project.at(tmp_path, {}), diagnostics)
    assert outputs is not None, list(diagnostics)
    assert write(outputs, diagnostics)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def said(root: Path, tenant: str | None = None, /, **environ: str | None) -> str:
    """Why the mail of a runtime with this environment, over a complete one, cannot be activated."""
    given = {name: text for name, text in {**COMPLETE, **environ}.items() if text is not None}

    async def use() -> None:
        async with Runtime(load(root / "generated/wiring.py"), environ=given) as runtime:
            wiring = runtime.wiring if tenant is None else runtime.tenant(tenant)
            async with wiring.adapters.mail.lease():
                pass

    with pytest.raises(ActivationError) as raised:
        run(use())
    return str(raised.value)


def test_a_secret_is_named_with_its_variable_and_its_setting(root: Path) -> None:
    variable = "there is no secret 'SMTP': the environment variable ONEIRIC_SECRET_SMTP is"
    place = "(the setting password, settings/adapters.yml#/provider_settings/relay/password)"
    assert said(root, ONEIRIC_SECRET_SMTP=None) == f"adapter:mail (relay): adapter:secrets: {variable} not set {place}"
    assert said(root, ONEIRIC_SECRET_SMTP="") == f"adapter:mail (relay): adapter:secrets: {variable} empty {place}"


def test_a_tenants_secret_is_named_with_the_tenants_setting(root: Path) -> None:
    told = said(root, "acme", ONEIRIC_SECRET_ACME=None)
    assert told.startswith("adapter:mail (relay) of tenant acme: adapter:secrets: there is no secret 'ACME'")
    place = "settings/tenants/acme.yml#/adapters/provider_settings/relay/password"
    assert told.endswith(f"(the setting password, {place})")


def test_a_variable_is_named_with_its_setting(root: Path) -> None:
    assert said(root, SMTP_FALLBACK=None).endswith(
        "needs the environment variable SMTP_FALLBACK, which is not set "
        "(the setting hosts, settings/adapters.yml#/provider_settings/relay/hosts)"
    )
    assert said(root, SMTP_PORT="many").endswith(
        "the environment variable SMTP_PORT is 'many', expected a whole number "
        "(the setting port, settings/adapters.yml#/provider_settings/relay/port)"
    )


def test_so_is_one_in_a_default_with_why_it_is_wanted(root: Path) -> None:
    assert said(root, FIRST="", SECOND="").endswith(
        "needs the environment variable SECOND, which is empty: name a second one "
        "(the setting hosts, settings/adapters.yml#/provider_settings/relay/hosts)"
    )


def test_a_secret_in_a_default_is_missed_only_where_it_stands_in(root: Path) -> None:
    assert said(root, PIN=None).endswith(
        "ONEIRIC_SECRET_PIN is not set (the setting pin, settings/adapters.yml#/provider_settings/relay/pin)"
    )
    assert "SMTP_FALLBACK" in said(root, SMTP_FALLBACK=None)


@pytest.mark.parametrize("report", [None, "", "[]", '{"format": "oneiric.explain/1", "app": "x", "profile": "y"}'])
def test_without_a_report_beside_the_wiring_no_setting_is_named(root: Path, report: str | None) -> None:
    path = root / "generated/explain.json"
    path.unlink()
    if report is not None:
        path.write_text(report)
    assert said(root, ONEIRIC_SECRET_SMTP=None).endswith("ONEIRIC_SECRET_SMTP is not set")


def test_secrets_are_those_of_the_runtimes_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEIRIC_SECRET_SMTP", "of the process")
    wiring = load(root / "generated/wiring.py")

    async def use(environ: dict[str, str] | None) -> str:
        async with Runtime(wiring, environ=environ) as runtime, runtime.wiring.adapters.mail.lease() as mail:
            secrets = runtime.wiring.adapters.secrets.live
            assert (await secrets.get("SMTP")).reveal() == mail.password.reveal()
            return str(mail.password.reveal())

    assert run(use(COMPLETE)) == "s"
    for name in ("SMTP_FALLBACK", "FIRST", "PIN"):
        monkeypatch.setenv(name, "of the process")
    assert run(use(None)) == "of the process"
    assert "is not set" in said(root, ONEIRIC_SECRET_SMTP=None)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("import {package}.gone", "needs the module {package}.gone, and there is no gone in {root}/{package}"),
        ("import nowhere_at_all.gone", "needs the module nowhere_at_all, which is not on the path: {root}, "),
        ("from oneiric import nothing", "failed: cannot import name 'nothing' from 'oneiric'"),
        ("x = (", "cannot import {root}/{package}/parts.py, line 2: '(' was never closed"),
    ],
    ids=["own", "others", "name", "syntax"],
)
def test_a_module_that_does_not_import_is_named_with_where_it_was_looked_for(root: Path, line: str, told: str) -> None:
    (package,) = (path.parent.name for path in root.glob("*/parts.py"))
    parts = root / package / "parts.py"
    parts.write_text(PARTS.replace("from oneiric", f"{line.format(package=package)}\nfrom oneiric", 1))
    assert f"factory {told.format(package=package, root=root)}" in said(root)


def test_a_port_that_does_not_import_is_told_in_the_same_way(root: Path) -> None:
    (parts,) = root.glob("*/parts.py")
    parts.unlink()

    async def use() -> None:
        async with Runtime(load(root / "generated/wiring.py"), environ=COMPLETE) as runtime:
            await runtime.use("adapter", "mail")

    with pytest.raises(PortError) as raised:
        run(use())
    module = f"{parts.parent.name}.parts"
    told = (
        f"the port {module}:Smtp cannot be loaded: needs the module {module}, and there is no parts in {parts.parent}"
    )
    assert told in str(raised.value)


def test_a_wiring_with_a_merge_conflict_says_so(root: Path) -> None:
    wiring = root / "generated/wiring.py"
    wiring.write_text(wiring.read_text() + "<<<<<<< HEAD\n=======\n>>>>>>> feature\n")
    with pytest.raises(LoadError, match="it holds a merge conflict"):
        load(wiring)
