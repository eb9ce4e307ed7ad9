"""Keys that are other keys: one slot and one instance, whichever name it is asked for by."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from oneiric import Deadlines, ReplacementError, Slot, UnboundKey

from tests.unit.cli.running import run as command
from tests.unit.runtime.making import run
from tests.unit.runtime.projects import compiled, made, of

PARTS = """
from typing import Protocol

from oneiric import component

CLOSED = []


class Store(Protocol):
    async def name(self) -> str: ...


class Base:
    async def name(self) -> str:
        return type(self).__name__

    def close(self) -> None:
        CLOSED.append(type(self).__name__)


@component("adapter", "store", provider="disk", port="alike.parts:Store")
class Disk(Base): ...


@component("adapter", "store", provider="memory", stack_level=-1)
class Memory(Base): ...


@component("adapter", "other", provider="std", port="alike.parts:Store")
class Other(Base): ...


@component("service", "user", provider="std", port="alike.parts:Store", needs={"sessions": "session-store"})
class User(Base):
    def __init__(self, *, sessions: Store) -> None:
        self.sessions = sessions

    async def name(self) -> str:
        return await self.sessions.name()
"""
ALIASES = "aliases: {session-store: store}\n"


class Fake:
    async def name(self) -> str:
        return "fake"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {
        "settings/app.yml": "name: alike\npackages: [alike]\nprofiles: [apart]\n",
        "settings/adapters.yml": ALIASES,
        "settings/tasks.yml": 'aliases: {queue: "adapter:session-store"}\n',
        "settings/profiles/apart.yml": "adapters: {aliases: {session-store: other}}\n",
        "settings/tenants/acme.yml": "adapters: {selections: {store: memory}}\n",
        "alike/__init__.py": "",
        "alike/parts.py": PARTS,
    }
    return made(tmp_path, monkeypatch, "alike", files)


def test_it_is_one_slot_and_one_instance(project: Path) -> None:
    async def story() -> None:
        async with of(project) as runtime:
            wiring = runtime.wiring
            assert wiring.adapters.session_store is wiring.adapters.store
            assert wiring.tasks.queue is wiring.adapters.store
            assert await (await runtime.use("service", "user")).name() == "Disk"
            assert await runtime.use("adapter", "session-store") is await runtime.use("adapter", "store")
            assert len(runtime.snapshot()) == 2
            acme = runtime.tenant("acme")
            assert await acme.adapters.session_store.live.name() == "Memory"
            assert acme.adapters.session_store is acme.adapters.store
            assert await (await runtime.use("task", "queue", tenant="acme")).name() == "Memory"

    run(story(), within=120)
    assert sorted(sys.modules["alike.parts"].CLOSED) == ["Disk", "Memory", "User"]


def test_a_replacement_by_the_alias_is_one_of_the_key(project: Path) -> None:
    fake = Fake()

    async def story() -> None:
        async with of(project, replace={"adapter:session-store": fake}) as runtime:
            assert runtime.wiring.adapters.store.current is fake
            assert await runtime.tenant("acme").adapters.store.live.name() == "fake"

    run(story(), within=120)
    with pytest.raises(ReplacementError, match="adapter:session-store: is adapter:store, of which there are two"):
        of(project, replace={"adapter:session-store": fake, "adapter:store": Fake()})
    with pytest.raises(ReplacementError, match="adapter:store: object has no method name"):
        of(project, replace={"task:queue": object()})


def test_a_swap_by_the_alias_is_one_of_the_key(project: Path) -> None:
    async def story() -> None:
        deadlines = Deadlines(compile=600)
        async with of(project, state=project / "state", project=project, deadlines=deadlines) as runtime:
            outcome = await runtime.swap("adapter:session-store", "memory")
            assert outcome.accepted, outcome.reason
            assert runtime.overrides.document()["overrides"] == {"adapter:store": "memory"}
            assert await runtime.wiring.tasks.queue.live.name() == "Memory"

    run(story(), within=120)


def test_a_reload_leads_it_elsewhere_and_ends_it(project: Path) -> None:
    async def story() -> None:
        async with of(project) as runtime:
            user = await runtime.use("service", "user")
            tenant: Slot[Any] = runtime.tenant("acme").adapters.session_store
            assert await tenant.live.name() == "Memory"
            compiled(project, adapters="aliases: {session-store: other}\n")
            outcome = await runtime.reload()
            assert outcome.accepted, outcome.reason
            assert await user.name() == "Other"
            assert runtime.wiring.adapters.session_store is runtime.wiring.adapters.other
            assert runtime.wiring.tasks.queue is runtime.wiring.adapters.other
            assert await runtime.tenant("acme").adapters.session_store.live.name() == "Other"
            (project / "settings/tasks.yml").write_text("")
            compiled(project)
            assert (await runtime.reload()).accepted
            with pytest.raises(AttributeError):
                _ = runtime.wiring.tasks.queue
            assert runtime.wiring.adapters.session_store is runtime.wiring.adapters.other

    run(story(), within=120)


def test_what_is_taken_away_has_no_alias_that_serves(project: Path) -> None:
    (project / "settings/services.yml").write_text("")
    (project / "settings/tenants/acme.yml").write_text("adapters: {unbind: [store]}\nservices: {unbind: [user]}\n")
    compiled(project)

    async def story() -> None:
        async with of(project) as runtime:
            with pytest.raises(UnboundKey, match="adapter:store is unbound for tenant acme"):
                await runtime.tenant("acme").adapters.session_store.live.name()

    run(story(), within=120)


def test_questions_and_reviews_know_it(project: Path) -> None:
    told = command("explain", "session-store", cwd=project).stdout
    assert "adapter:store is served by disk" in told
    assert "task:queue             is this key" in told
    assert "service:user (std) for sessions" in told
    users = command("explain", "task:queue", "--uses", cwd=project).stdout
    assert "adapter:store is needed by 1 key" in users
    rows = json.loads(command("matrix", "--json", cwd=project).stdout)["keys"]
    assert rows["adapter:session-store"]["profiles"] == {"default": "= adapter:store", "apart": "= adapter:other"}
    diff = json.loads(command("diff", "generated", "generated/apart", "--format", "json", cwd=project).stdout)
    changes = [each for found in diff["profiles"].values() for each in found if each["what"] == "alias of"]
    assert [(each["key"], each["old"], each["new"]) for each in changes] == [
        ("adapter:session-store", "adapter:store", "adapter:other"),
        ("task:queue", "adapter:store", "adapter:other"),
    ]


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("wiring.py", '-store", "adapter:store"', '-store", "adapter:other"'),
        ("wiring.py", "self._wiring.adapters.store.current", "self._wiring.adapters.other.current"),
        ("wiring.py", "self._wiring.adapters.store.current", "self._wiring.adapters.store.live"),
        ("wiring.py", "def session_store", "def store_of_sessions"),
        ("explain.json", '"target": "adapter:store"', '"target": "adapter:other"'),
        ("explain.json", "settings/adapters.yml#/aliases/session-store", "settings/app.yml#/aliases/session-store"),
        ("explain.json", '"sessions": "adapter:store"', '"sessions": "adapter:session-store"'),
    ],
)
def test_what_was_edited_does_not_verify(project: Path, file: str, before: str, after: str) -> None:
    path = project / "generated" / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    assert command("verify", "generated", cwd=project).returncode == 1
