"""Events of a project that is compiled: tenants with handlers, conditions and databases of their own, and reloads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import Runtime, UnknownTenant
from oneiric.declared import work_of
from oneiric.engines.emitting import emitter_of
from oneiric.engines.relay import owners
from oneiric.runtime import host_of
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.stages.write import write

from tests.unit.events.outboxes import until
from tests.unit.runtime.making import run

PARTS = """
from typing import TypedDict

from oneiric import Envelope, component

SEEN: list[tuple[str, str, str | None]] = []


class Placed(TypedDict):
    id: str
    cents: int


@component("event", "audit", provider="base")
class Audit:
    name = "base"

    async def __call__(self, *, event: Placed, envelope: Envelope) -> str:
        SEEN.append((self.name, event["id"], envelope.tenant))
        return self.name


@component("event", "audit", provider="theirs", priority=-1)
class Theirs(Audit):
    name = "theirs"


@component("event", "mail", provider="smtp")
class Mail:
    def __call__(self, *, event: Placed, envelope: Envelope) -> None:
        SEEN.append(("mail", event["id"], envelope.tenant))
"""
FILES = {
    "settings/app.yml": "name: shop\npackages: [eventful_shop]\n",
    "settings/adapters.yml": """selections: {engine: inline}
provider_settings: {sqlite: {path: base.db, pragmas: {journal_mode: wal}}}
""",
    "settings/events.yml": """topics: {order.placed: {type: eventful_shop.parts:Placed}}
subscriptions:
  audit: {topics: [order.placed]}
  mail: {topics: [order.placed], delivery: durable}
outbox: adapter:database
""",
    "settings/tenants/acme.yml": """events:
  selections: {audit: theirs}
adapters: {provider_settings: {sqlite: {path: acme.db}}}
""",
    "settings/tenants/bolt.yml": "{}\n",
    "eventful_shop/__init__.py": "",
    "eventful_shop/parts.py": PARTS,
}


def compiled(root: Path) -> Path:
    diagnostics = Diagnostics()
    outputs = compile_project(Project.at(root, {}), diagnostics)
    assert outputs is not None, list(diagnostics)
    write(outputs, diagnostics)
    return root / "generated/wiring.py"


@pytest.fixture(name="project")
def a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [each for each in sys.modules if each.startswith("eventful_shop")]:
        del sys.modules[name]


def seen() -> list[Any]:
    found: list[Any] = sys.modules["eventful_shop.parts"].SEEN if "eventful_shop.parts" in sys.modules else []
    return sorted(found)


def test_an_event_of_a_tenant_is_for_its_handlers(project: Path) -> None:
    async def main() -> None:
        wiring = oneiric.load(compiled(project))
        table: Any = wiring.__domains__["events"].__subscriptions__
        table["mail"]["tenants"] = {"acme": {"where": [{"path": "cents", "above": 100}]}}
        async with Runtime(wiring) as runtime:
            acme, bolt = (runtime.tenant(name).topics.order_placed for name in ("acme", "bolt"))
            theirs = await acme.emit({"id": "1", "cents": 5}, id="1")
            assert [(each.handler, each.value) for each in theirs.handlers] == [("audit", "theirs")]
            assert theirs.tenant == "acme"
            both = await acme.emit({"id": "2", "cents": 500}, id="1/2")
            assert [each.run for each in both.handlers] == [None, "shop/1%2F2/mail@acme"]
            shared = await bolt.emit({"id": "3", "cents": 5}, id="1")
            base = await runtime.wiring.topics.order_placed.emit({"id": "4", "cents": 5}, id="1")
            assert [each.handlers[1].run for each in (shared, base)] == ["shop/1/mail@bolt", "shop/1/mail"]
            engine = work_of(host_of(runtime).base).engine
            for each in (both, shared, base):
                outcome = await engine.result(each.handlers[1].run)
                assert outcome["state"] == "completed", outcome
            with pytest.raises(UnknownTenant):
                runtime.tenant("nobody")

    run(main(), within=30)
    assert seen() == [
        ("base", "3", "bolt"), ("base", "4", None),
        ("mail", "2", "acme"), ("mail", "3", "bolt"), ("mail", "4", None),
        ("theirs", "1", "acme"), ("theirs", "2", "acme"),
    ]  # fmt: skip


def test_a_tenant_with_a_database_of_its_own_has_its_outbox_there(project: Path) -> None:
    wiring = compiled(project)

    async def emit(engine: bool) -> None:
        loaded = oneiric.load(wiring)
        if not engine:
            loaded.__domains__["events"].__engine__ = None
        async with Runtime(loaded) as runtime:
            if not engine:
                for tenant in ("acme", "bolt"):
                    view = runtime.tenant(tenant)
                    async with view.adapters.database.live.transaction() as transaction:
                        event = {"id": f"of {tenant}", "cents": 500}
                        await view.topics.order_placed.emit(event, transaction=transaction)
            outboxes = await owners(emitter_of(host_of(runtime)))
            assert [each.tenant for each in outboxes] == [None, "acme"]
            if engine:
                await until(lambda: len(seen()) == 4)
            assert [len(await each.waiting(9)) for each in outboxes] == ([0, 0] if engine else [1, 1])

    run(emit(engine=False), within=30)
    assert seen() == []
    run(emit(engine=True), within=30)
    assert seen() == [
        ("base", "of bolt", "bolt"), ("mail", "of acme", "acme"), ("mail", "of bolt", "bolt"),
        ("theirs", "of acme", "acme"),
    ]  # fmt: skip


def test_a_reload_changes_who_listens_and_where_events_wait(project: Path) -> None:
    async def main() -> None:
        async with Runtime(oneiric.load(compiled(project))) as runtime:
            topic = runtime.wiring.topics.order_placed
            assert len((await topic.emit({"id": "1", "cents": 5})).handlers) == 2
            stated = FILES["settings/events.yml"].replace("delivery: durable", "priority: 5")
            (project / "settings/events.yml").write_text(stated.replace("outbox: adapter:database\n", ""))
            outcome = await runtime.reload(compiled(project))
            assert outcome.accepted, outcome
            emitted = await topic.emit({"id": "2", "cents": 5})
            assert [(each.handler, each.state) for each in emitted.handlers] == [
                ("mail", "completed"), ("audit", "completed")
            ]  # fmt: skip
            engines: Any = host_of(runtime).engines
            assert engines._running["events"].engine._relays == {}

    run(main(), within=30)
