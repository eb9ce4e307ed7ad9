"""Roles: what starts in a process of each, what is there on demand, what counts for readiness; who has none."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import Runtime, UnknownRole
from oneiric.roles import named_by

from tests.unit.cli.running import run as command
from tests.unit.runtime.making import run
from tests.unit.serve.serving import Served

PARTS = """
from oneiric import component


class Part:
    async def name(self) -> str:
        return type(self).__name__


@component("service", "site", provider="std", eager=True)
class Site(Part): ...


@component("service", "health", provider="std", eager=True)
class Health(Part): ...


@component("task", "mail", provider="std", eager=True)
class Mail(Part): ...


@component("task", "lazy", provider="std")
class Lazy(Part): ...
"""
APP = 'name: parts\npackages: [parts_of_roles]\nroles: {web: ["service:site"], worker: ["task:*"]}\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path, text in {"settings/app.yml": APP, "parts_of_roles/__init__.py": PARTS}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "parts_of_roles", raising=False)
    compiled(tmp_path)
    return tmp_path


def compiled(root: Path) -> None:
    assert command("compile", cwd=root).returncode == 0
    assert command("verify", cwd=root).returncode == 0


def of(project: Path, role: str | None) -> Runtime[Any]:
    return Runtime(oneiric.load(project / "generated/wiring.py"), role=role)


def active(runtime: Runtime[Any]) -> list[str]:
    return sorted(held.slot.key for held in runtime._host.active.values())


@pytest.mark.parametrize(
    ("role", "starts"),
    [
        (None, ["service:health", "service:site", "task:mail"]),
        ("web", ["service:health", "service:site"]),
        ("worker", ["service:health", "task:mail"]),
    ],
)
def test_what_is_eager_in_the_role_starts_and_what_is_in_none(
    project: Path, role: str | None, starts: list[str]
) -> None:
    async def story() -> None:
        async with of(project, role) as runtime:
            assert active(runtime) == starts
            assert await (await runtime.use("task", "mail")).name() == "Mail", "on demand in any"
            assert await (await runtime.use("service", "site")).name() == "Site"

    run(story())


def test_a_role_that_is_not_there_is_refused_with_those_that_are(project: Path) -> None:
    with pytest.raises(UnknownRole, match="no role 'wroker'; it has web, worker") as raised:
        of(project, "wroker")
    assert raised.value.roles == ("web", "worker")
    (project / "settings/app.yml").write_text(APP.partition("roles:")[0])
    compiled(project)
    with pytest.raises(UnknownRole, match="it has none"):
        of(project, "web")


def test_a_reload_starts_what_the_role_has_by_then_and_does_not_take_it_away(project: Path) -> None:
    async def story() -> None:
        async with of(project, "web") as runtime:
            (project / "settings/app.yml").write_text(APP.replace('["service:site"]', '["service:site", "task:mail"]'))
            parts = (project / "parts_of_roles/__init__.py").read_text()
            (project / "parts_of_roles/__init__.py").write_text(
                parts + '\n@component("task", "late", provider="std", eager=True)\nclass Late(Part): ...\n'
            )
            compiled(project)
            assert (await runtime.reload()).accepted
            assert "task:late" not in active(runtime), "it is the worker's"
            (project / "settings/app.yml").write_text(APP.replace("web:", "site:"))
            compiled(project)
            outcome = await runtime.reload()
            assert (outcome.accepted, outcome.code) == (False, "app")
            assert "no role web" in str(outcome.reason)

    run(story())


def test_serve_starts_a_role_and_says_so(project: Path) -> None:
    with Served(project, "--role", "worker", name="parts") as served:
        status = served.ask("status")
        assert status["role"] == "worker"
        assert sorted(each["key"] for each in status["components"]) == ["health", "mail"]
        assert "role        worker" in command("status", cwd=project).stdout
    assert json.loads(command("status", "--json", cwd=project).stdout)["role"] == "worker", "as it left it"


def test_serve_refuses_a_role_that_is_not_there(project: Path) -> None:
    done = command("serve", "--role", "wroker", cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the wiring has no role 'wroker'; it has web, worker" in done.stderr


def test_reviews_show_roles(project: Path) -> None:
    told = command("explain", "task:mail", cwd=project).stdout
    assert "roles  worker" in told
    assert "roles  every one: none names it" in command("explain", "service:health", cwd=project).stdout
    (project / "generated").rename(project / "before")
    (project / "settings/app.yml").write_text(APP.replace('["task:*"]', '["task:mail"]'))
    compiled(project)
    assert 'role worker: ["task:*"] -> ["task:mail"]' in command("diff", "before", "generated", cwd=project).stdout


@pytest.mark.parametrize(
    ("before", "after"),
    [('("task:*",)', '("task:mail",)'), ('        "web": ("service:site",),\n', ""), ('"web": (', '"wob": (')],
)
def test_an_edited_role_does_not_verify(project: Path, before: str, after: str) -> None:
    path = project / "generated/wiring.py"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))
    assert command("verify", cwd=project).returncode == 1
    assert command("compile", "--check", cwd=project).returncode == 1


def test_what_a_pattern_names() -> None:
    assert named_by(("task:*",), "task:mail")
    assert named_by(("a:b", "task:mail"), "task:mail")
    assert named_by(("task:m*",), "task:m")
    assert not named_by(("task:mail",), "task:mails")
    assert not named_by(("tas*",), "event:a")
