"""Needs that are several, optional or lazy: what is handed over, when it is active, in which order all is closed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from oneiric import ActivationError, NotActive, RuntimeClosed

from tests.unit.cli.running import run as command
from tests.unit.runtime.making import run
from tests.unit.runtime.projects import compiled, made, of

PARTS = """
from collections.abc import Mapping
from typing import Protocol

from oneiric import component

CLOSED = []


class Plugin(Protocol):
    async def name(self) -> str: ...


class Base:
    async def name(self) -> str:
        return type(self).__name__

    def close(self) -> None:
        CLOSED.append(type(self).__name__)


@component("service", "plugin.a", provider="std", port="gathers.parts:Plugin")
class A(Base): ...


@component("service", "plugin.b", provider="std", port="gathers.parts:Plugin")
class B(Base): ...


@component("service", "plugin.b", provider="other", stack_level=-1)
class OtherB(Base): ...


@component(
    "service", "user", provider="std",
    needs={"listed": ["service:plugin.b", "service:plugin.a"], "all": "service:plugin.*",
           "audit": "service:audit", "tracer": "service:tracer"},
    optional=("tracer",), lazy=("audit",),
)
class User(Base):
    def __init__(
        self, *, listed: list[Plugin], all: Mapping[str, Plugin], audit: Plugin, tracer: object = None
    ) -> None:
        self.listed, self.all, self.audit, self.tracer = listed, all, audit, tracer

    async def names(self) -> tuple[list[str], dict[str, str]]:
        return [await each.name() for each in self.listed], {key: await each.name() for key, each in self.all.items()}

    async def audited(self) -> str:
        return await self.audit.name()

    async def traced(self) -> bool:
        return self.tracer is not None


@component("service", "audit", provider="std", needs={"user": "service:user"}, port="gathers.parts:Plugin")
class Audit(Base):
    def __init__(self, *, user: User) -> None:
        self.user = user


class Tracer(Base): ...
"""
TRACED = """
components:
  - {key: tracer, provider: std, factory: "gathers.parts:Tracer", port: "gathers.parts:Plugin"}
  - {key: plugin.c, provider: std, factory: "gathers.parts:A", port: "gathers.parts:Plugin"}
gather_order: {"plugin.*": ["*", plugin.a]}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {
        "settings/app.yml": "name: gathers\npackages: [gathers]\n",
        "settings/tenants/acme.yml": "services: {selections: {plugin.b: other}}\n",
        "settings/tenants/zeta.yml": 'services: {gather_order: {"plugin.*": [plugin.b]}}\n',
        "gathers/__init__.py": "",
        "gathers/parts.py": PARTS,
    }
    return made(tmp_path, monkeypatch, "gathers", files)


def parts() -> ModuleType:
    return sys.modules["gathers.parts"]


def test_several_are_handed_over_in_their_order_and_by_their_names(project: Path) -> None:
    async def story() -> None:
        async with of(project) as runtime:
            user = await runtime.use("service", "user")
            assert await user.names() == (["B", "A"], {"plugin.a": "A", "plugin.b": "B"})
            assert not await user.traced()

    run(story())
    assert parts().CLOSED.index("User") < min(parts().CLOSED.index("A"), parts().CLOSED.index("B"))


def test_a_tenant_has_its_own_of_what_it_gathers_and_its_own_order(project: Path) -> None:
    async def story() -> None:
        async with of(project) as runtime:
            acme = await runtime.use("service", "user", tenant="acme")
            assert await acme.names() == (["OtherB", "A"], {"plugin.a": "A", "plugin.b": "OtherB"})
            zeta = await runtime.use("service", "user", tenant="zeta")
            assert list((await zeta.names())[1]) == ["plugin.b", "plugin.a"]

    run(story())


def test_a_lazy_need_is_active_from_its_first_call_on_and_may_be_closed_before_its_user(project: Path) -> None:
    async def story() -> None:
        async with of(project) as runtime:
            user = await runtime.use("service", "user")
            audit = runtime.wiring.services.audit
            with pytest.raises(NotActive):
                _ = audit.current
            assert await user.audited() == "Audit"
            assert audit.current.user is not None
            instance = runtime.wiring.services.user.current
        with pytest.raises(RuntimeClosed):
            await instance.audited()

    run(story())
    assert parts().CLOSED.index("Audit") < parts().CLOSED.index("User")


def test_what_joins_is_handed_over_after_a_reload(project: Path) -> None:
    async def story() -> None:
        async with of(project) as runtime:
            user = await runtime.use("service", "user")
            (project / "settings/services.yml").write_text(TRACED)
            compiled(project)
            outcome = await runtime.reload()
            assert outcome.accepted
            assert (None, "service:user") in outcome.plan.replace
            assert list((await user.names())[1].items()) == [("plugin.b", "B"), ("plugin.c", "A"), ("plugin.a", "A")]
            assert await user.traced()

    run(story())


def test_a_lazy_need_that_is_called_while_its_user_is_made_is_an_activation_error(project: Path) -> None:
    """Where the compiler does not see it."""
    source = (project / "gathers/parts.py").read_text()
    called = 'self.tracer = listed, all, audit, tracer\n        getattr(audit, "now")()'
    source = source.replace("self.tracer = listed, all, audit, tracer", called)
    source = source.replace(
        "async def name(self) -> str: ...", "async def name(self) -> str: ...\n    def now(self) -> str: ..."
    )
    source = source.replace("class Base:\n", 'class Base:\n    def now(self) -> str:\n        return "now"\n\n')
    (project / "gathers/parts.py").write_text(source)
    compiled(project)

    async def story() -> None:
        async with of(project) as runtime:
            with pytest.raises(ActivationError, match="service:audit is not active") as raised:
                await runtime.use("service", "user")
            assert raised.value.step == "factory"

    run(story())


def test_questions_and_reviews_know_them(project: Path) -> None:
    told = command("explain", "service:user", cwd=project).stdout
    for line in (
        "service:plugin.b (std) for all, listed",
        "service:audit (std) for audit (lazily)",
        "service:plugin.*: plugin.a, plugin.b",
        "tracer  what it needs is not bound: it has its default",
        "in an order of its own",
    ):
        assert line in told
    users = command("explain", "service:plugin.a", "--uses", cwd=project).stdout
    assert "service:user" in users
    (project / "generated").rename(project / "before")
    (project / "settings/services.yml").write_text(TRACED)
    compiled(project)
    diff = command("diff", "before", "generated", cwd=project).stdout
    assert "tracer: added service:tracer" in diff
    assert 'all: ["service:plugin.a", "service:plugin.b"] -> ' in diff


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"service:plugin.b", "service:plugin.a"', '"service:plugin.a", "service:plugin.b"'),
        ("self._wiring.services.plugin_b.live,\n                self", "self"),
        ("needs=(", 'needs=("service:audit", '),
        ('"plugin.a": self', '"plugin.z": self'),
    ],
)
def test_an_edited_wiring_does_not_verify(project: Path, before: str, after: str) -> None:
    path = project / "generated/wiring.py"
    text = path.read_text()
    if before not in text:
        path = project / "generated/explain.json"
        text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    assert command("verify", cwd=project).returncode == 1
