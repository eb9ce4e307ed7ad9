"""A tenant's workflow, from its settings to its runs: started, nested, needed, while reloads change it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oneiric import Runtime, load
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.verify import verify

from tests.unit.runtime.making import run

PARTS = """
from oneiric import component

CALLS: list[tuple[str, int]] = []


@component("task", "note", provider="noted", idempotent=True)
class Note:
    async def __call__(self, *, text: str, count: int) -> str:
        CALLS.append((text, count))
        if text.startswith("fails"):
            raise ValueError(text)
        return f"{text} {count}"


@component("service", "user", provider="std", needs={"flow": "workflow:notes"})
class User:
    def __init__(self, *, flow: object) -> None:
        self.flow = flow

    async def notes(self, *, text: str) -> str:
        return str(await self.flow({"text": text}))
"""
FILES = {
    "settings/app.yml": "name: shop\npackages: [noting]\n",
    "settings/adapters.yml": "selections: {engine: inline}\n",
    "settings/workflows.yml": """workflows:
  notes:
    nodes:
      first: {call: task:note, with: {text: "${input.text}", count: 1}, retry: {attempts: 2, delay: 1ms}}
      second: {call: task:note, with: {text: "${first}", count: 2}}
    result: {first: "${first:-null}", second: "${second:-null}"}
  outer: {nodes: {inner: {call: workflow:notes, with: {text: "${input.text}"}}}, result: "${inner}"}
""",
    "settings/tenants/acme.yml": """workflows:
  workflows:
    notes:
      nodes:
        first: {with: {text: "acme ${input.text}", count: 7}, when: [{path: input.text, matches: "[a-z]+"}]}
        second: {with: {text: "alone", count: 8}}
""",
    "settings/tenants/bolt.yml": """workflows:
  workflows: {notes: {nodes: {first: {retry: {attempts: 4, delay: 0}}}}}
""",
    "settings/tenants/plain.yml": "{}\n",
    "noting/__init__.py": "",
    "noting/parts.py": PARTS,
}


@pytest.fixture(name="project")
def a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("noting", "noting.parts"):
        sys.modules.pop(name, None)


def compiled(project: Path, **files: str) -> Path:
    for name, text in files.items():
        (project / f"settings/tenants/{name}.yml").write_text(text)
    diagnostics = Diagnostics()
    outputs = compile_project(Project.at(project, {}), diagnostics)
    assert outputs is not None, list(diagnostics)
    found = outputs.profiles["default"][1]
    assert [*verify(json.loads(found["explain.json"]), found["wiring.py"], found["tenants.jsonl"])] == []
    for name, data in found.items():
        (project / f"{name}.new").write_bytes(data)
        (project / f"{name}.new").replace(project / name)
    return project / "wiring.py"


def of(runtime: Runtime[Any], tenant: str) -> Any:
    return runtime.tenant(tenant)


def calls() -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = sys.modules["noting.parts"].CALLS
    heard = found[:]
    found.clear()
    return heard


def test_a_run_of_a_tenant_goes_by_its_flow(project: Path) -> None:
    async def story() -> None:
        async with Runtime(load(compiled(project))) as runtime:
            view: Any = {name: of(runtime, name) for name in ("acme", "bolt", "plain")}
            base: Any = runtime.wiring
            assert await base.workflows.notes.live({"text": "a"}) == {"first": "a 1", "second": "a 1 2"}
            assert await view["acme"].workflows.notes.live({"text": "a"}) == {"first": "acme a 7", "second": "alone 8"}
            assert await view["acme"].workflows.notes.live({"text": "A"}) == {"first": None, "second": "alone 8"}
            assert await view["plain"].workflows.notes.live({"text": "a"}) == {"first": "a 1", "second": "a 1 2"}
            nested = await (await view["acme"].workflows.outer.start({"text": "b"}, id="o")).result()
            assert nested == {"first": "acme b 7", "second": "alone 8"}
            assert (await base.workflows.outer.live({"text": "b"}))["first"] == "b 1"
            assert "acme c 7" in await view["acme"].services.user.live.notes(text="c")
            assert "'c 1'" in await view["plain"].services.user.live.notes(text="c")
            calls()
            for name, attempts in (("bolt", 4), ("plain", 2)):
                handle = await view[name].workflows.notes.start({"text": "fails"})
                with pytest.raises(Exception, match="fails"):
                    await handle.result()
                assert calls() == [("fails", 1)] * attempts

    run(story(), within=30)


CHANGED = FILES["settings/tenants/acme.yml"].replace("acme ", "ACME ")


@pytest.mark.parametrize(("after", "first"), [(CHANGED, "ACME a 7"), ("{}\n", "a 1")], ids=["another", "none"])
def test_a_reload_changes_the_flow_of_a_tenant_and_of_nobody_else(project: Path, after: str, first: str) -> None:
    async def story() -> None:
        async with Runtime(load(compiled(project))) as runtime:
            acme: Any = of(runtime, "acme").workflows.notes
            bolt: Any = of(runtime, "bolt").workflows.notes
            assert (await acme.live({"text": "a"}))["first"] == "acme a 7"
            compiled(project, acme=after)
            outcome = await runtime.reload()
            assert (outcome.accepted, outcome.reason) == (True, None)
            assert (await acme.live({"text": "a"}))["first"] == first
            assert (await bolt.live({"text": "a"}))["first"] == "a 1"
            compiled(project, acme=FILES["settings/tenants/acme.yml"])
            assert (await runtime.reload()).accepted
            assert (await acme.live({"text": "a"}))["first"] == "acme a 7"

    run(story(), within=30)


FLOWS = {"acme": [("acme t", 7), ("alone", 8)], "plain": [("t", 1), ("t 1", 2)]}
"""What the runs of tenants note when each is given the text t."""


def test_an_event_of_a_tenant_begins_its_flow(project: Path) -> None:
    (project / "settings/events.yml").write_text(
        "topics: {note.wanted: {}}\nsubscriptions: {starts: {topics: [note.wanted], starts: workflow:notes}}\n"
    )

    async def story() -> None:
        async with Runtime(load(compiled(project))) as runtime:
            for tenant, noted in FLOWS.items():
                view = of(runtime, tenant)
                emitted = await view.topics.note_wanted.emit({"text": "t"})
                await (await view.workflows.notes.start({"text": "t"}, id=emitted.handlers[0].run)).result()
                assert sorted(calls()) == noted

    run(story(), within=30)


def test_a_tick_of_a_tenant_begins_its_flow(project: Path) -> None:
    (project / "settings/tasks.yml").write_text(
        "schedules:\n  often: {every: 1s, call: workflow:notes, with: {text: t}, tenants: [acme, plain], most: 1}\n"
    )

    async def story() -> None:
        async with Runtime(load(compiled(project))) as runtime:
            heard: list[tuple[str, int]] = []
            await runtime.use("task", "note")
            while len(heard) < 4:
                heard += calls()
                await asyncio.sleep(0.02)
            assert sorted(heard) == sorted(FLOWS["acme"] + FLOWS["plain"])

    run(story(), within=30)
