"""Keys that a profile or a tenant takes away, in a running application."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oneiric import Deadlines, Runtime, Slot, UnboundKey
from oneiric.preflight.trial import Trial

from tests.unit.cli.running import run as command
from tests.unit.runtime.making import run
from tests.unit.runtime.projects import compiled, made, of

PARTS = """
from typing import Protocol

from oneiric import component

CLOSED = []


class Part(Protocol):
    async def name(self) -> str: ...
    def now(self) -> str: ...


class Base:
    async def name(self) -> str:
        return type(self).__name__

    def now(self) -> str:
        return type(self).__name__

    def close(self) -> None:
        CLOSED.append(type(self).__name__)


@component("task", "cron", provider="std", port="unbinds.parts:Part", eager=True)
class Cron(Base): ...


@component("task", "cron", provider="other", stack_level=-1)
class Other(Base): ...


@component(
    "service", "page", provider="std", port="unbinds.parts:Part", needs={"cron": "task:cron"}, optional=("cron",)
)
class Page(Base):
    def __init__(self, *, cron: Part | None = None) -> None:
        self.cron = cron

    async def name(self) -> str:
        return "none" if self.cron is None else await self.cron.name()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {
        "settings/app.yml": "name: unbinds\npackages: [unbinds]\nprofiles: [small]\n",
        "settings/profiles/small.yml": "tasks: {unbind: [cron]}\n",
        "settings/tenants/acme.yml": "tasks: {unbind: [cron]}\n",
        "settings/tenants/zeta.yml": "tasks: {selections: {cron: other}}\n",
        "settings/tenants/plain.yml": "",
        "unbinds/__init__.py": "",
        "unbinds/parts.py": PARTS,
    }
    return made(tmp_path, monkeypatch, "unbinds", files)


async def refused(runtime: Runtime[Any], tenant: str | None, *, by: str | None = None) -> None:
    """Whichever way it is asked for; `by` is the tenant whose own settings take it away."""
    wiring = runtime.wiring if tenant is None else runtime.tenant(tenant)
    slot: Slot[Any] = wiring.tasks.cron
    for use in (lambda: slot.current, lambda: slot.live.now()):
        with pytest.raises(UnboundKey) as raised:
            use()
        assert (raised.value.key, raised.value.tenant) == ("task:cron", by)
    with pytest.raises(UnboundKey):
        await slot.live.name()
    with pytest.raises(UnboundKey):
        await runtime.use("task", "cron", tenant=tenant)
    with pytest.raises(UnboundKey):
        async with slot.lease():
            pass


def test_a_tenant_does_not_have_it_and_all_others_do(project: Path) -> None:
    async def story() -> None:
        async with of(project) as runtime:
            await refused(runtime, "acme", by="acme")
            assert await (await runtime.use("service", "page", tenant="acme")).name() == "none"
            for tenant, name in ((None, "Cron"), ("plain", "Cron"), ("zeta", "Other")):
                assert await (await runtime.use("service", "page", tenant=tenant)).name() == name

    run(story(), within=120)


def test_a_profile_does_not_have_it_and_a_tenant_that_selects_it_does(project: Path) -> None:
    async def story() -> None:
        async with of(project, "small") as runtime:
            for tenant in (None, "plain"):
                await refused(runtime, tenant)
                assert await (await runtime.use("service", "page", tenant=tenant)).name() == "none"
            assert await (await runtime.use("service", "page", tenant="zeta")).name() == "Other"

    run(story(), within=120)


def test_a_reload_takes_it_away_and_brings_it_back(project: Path) -> None:
    async def story() -> None:
        async with of(project) as runtime:
            cron = runtime.tenant("plain").tasks.cron
            live = cron.live
            assert await live.name() == "Cron"
            (project / "settings/tenants/plain.yml").write_text("tasks: {unbind: [cron]}\n")
            compiled(project)
            assert (await runtime.reload()).accepted
            await refused(runtime, "plain", by="plain")
            with pytest.raises(UnboundKey):
                await live.name()
            assert sys.modules["unbinds.parts"].CLOSED == []
            (project / "settings/tenants/plain.yml").write_text("tasks: {selections: {cron: other}}\n")
            compiled(project)
            assert (await runtime.reload()).accepted
            assert await live.name() == "Other"
            (project / "settings/tenants/plain.yml").write_text("tasks: {unbind: [cron]}\n")
            compiled(project)
            outcome = await runtime.reload()
            assert ("plain", "task:cron") in outcome.plan.replace
            await refused(runtime, "plain", by="plain")

    run(story(), within=120)
    assert sys.modules["unbinds.parts"].CLOSED.count("Other") == 1


def test_a_replacement_takes_its_place_for_everyone(project: Path) -> None:
    class Fake:
        async def name(self) -> str:
            return "fake"

        def now(self) -> str:
            return "now"

    async def story() -> None:
        async with of(project, replace={"task:cron": Fake()}) as runtime:
            assert await runtime.tenant("acme").tasks.cron.live.name() == "fake"

    run(story(), within=120)


def test_a_swap_of_it_is_refused(project: Path) -> None:
    async def story() -> None:
        deadlines = Deadlines(compile=600)
        async with of(project, state=project / "state", project=project, deadlines=deadlines) as runtime:
            outcome = await runtime.swap("task:cron", "other", tenant="acme")
            assert (outcome.accepted, outcome.code) == (False, "compile")
            assert "ONE432" in str(outcome.reason)
            assert (await runtime.swap("task:cron", "other", all_tenants=True)).accepted
            await refused(runtime, "acme", by="acme")

    run(story(), within=120)


def test_questions_and_reviews_know_it(project: Path) -> None:
    told = command("explain", "task:cron", cwd=project).stdout
    assert "acme  unbound" in told
    told = command("explain", "task:cron", "--tenant", "acme", cwd=project).stdout
    assert "task:cron is unbound for tenant acme" in told
    assert "settings/tenants/acme.yml" in told
    told = command("explain", "--tenant", "acme", cwd=project).stdout
    assert "unbound: settings/tenants/acme.yml unbinds it" in told
    told = command("explain", "task:cron", "--profile", "small", cwd=project).stdout
    assert "tenants that have it" in told
    assert "zeta  other by" in told
    rows = json.loads(command("matrix", "--json", cwd=project).stdout)["keys"]["task:cron"]
    assert rows["profiles"] == {"default": "std", "small": None}
    assert rows["tenants"] == {"acme": {"default": None, "small": None}, "zeta": {"default": "other", "small": "other"}}
    (project / "generated").rename(project / "before")
    (project / "settings/tenants/acme.yml").write_text("")
    compiled(project)
    diff = json.loads(command("diff", "before", "generated", "--format", "json", cwd=project).stdout)
    changes = [
        (each["class"], each["key"], each.get("tenant"), each.get("old"), each.get("new"))
        for each in diff["profiles"]["default"]
    ]
    assert ("winner", "task:cron", "acme", None, "std") in changes
    supposed = command("explain", "task:cron", "--what-if", "provider=std", "--profile", "small", cwd=project)
    assert supposed.returncode in (0, 1), supposed.stderr
    assert "std" in supposed.stdout


def test_what_is_taken_away_lacks_nothing_before_a_start() -> None:
    facts = {"provider": "std", "factory": "nowhere.parts:Cron", "settings": {}, "decided_at": "nowhere/parts.py#Cron"}
    assert [each.name for each in Trial({}).lacking("task:cron", facts)] == ["nowhere"]
    assert Trial({}).lacking("task:cron", {**facts, "unbound": True}) == []


def without_tenants_mark(report: dict[str, Any]) -> None:
    del report["bindings"]["task:cron"]["tenants"]["acme"]["unbound"]


def elsewhere(report: dict[str, Any]) -> None:
    report["bindings"]["task:cron"]["tenants"]["acme"]["unbound_at"] = "settings/tenants/acme.yml#/tasks/unbind/corn"


def handed_all_the_same(report: dict[str, Any]) -> None:
    del report["bindings"]["service:page"]["tenants"]["acme"]


@pytest.mark.parametrize("edit", [without_tenants_mark, elsewhere, handed_all_the_same])
def test_an_edited_report_does_not_verify(project: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    path = project / "generated/explain.json"
    report = json.loads(path.read_text())
    edit(report)
    path.write_text(json.dumps(report))
    assert command("verify", cwd=project).returncode == 1


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("wiring.py", "unbound=True", "unbound=False"),
        ("wiring.py", 'raise UnboundKey("task:cron")', "return UnboundKey()"),
        ("wiring.py", 'raise UnboundKey("task:cron")', 'raise UnboundKey("task:corn")'),
        ("explain.json", "settings/profiles/small.yml#/tasks/unbind/cron", "settings/app.yml#/tasks/unbind/cron"),
        ("explain.json", '"bound_at": "settings/tenants/zeta.yml', '"bound_at": "settings/tenants/acme.yml'),
    ],
)
def test_an_edited_wiring_of_a_profile_does_not_verify(project: Path, file: str, before: str, after: str) -> None:
    path = project / "generated/small" / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    assert command("verify", cwd=project).returncode == 1
