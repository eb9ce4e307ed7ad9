"""Runs and their nodes as events: what is told of them, by each engine, once and in which order."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from oneiric import Runtime, load
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.stages.write import write

from tests.unit.events.outboxes import until
from tests.unit.runtime.making import run

KINDS = ("run.started", "run.completed", "run.failed", "run.cancelled")
NODES = ("node.started", "node.completed", "node.failed", "node.skipped")
PARTS = """
import asyncio
from typing import Any

from oneiric import Envelope, component
from oneiric.flows.model import Unserved

SEEN: list[tuple[str, str, dict[str, Any]]] = []


@component("event", "heard", provider="listener")
class Heard:
    async def __call__(self, *, event: dict[str, Any], envelope: Envelope) -> None:
        SEEN.append((envelope.type, envelope.id, event))


@component("event", "kept", provider="keeper")
class Kept:
    async def __call__(self, *, event: dict[str, Any], envelope: Envelope) -> None:
        SEEN.append(("durable " + envelope.type, envelope.id, event))


@component("task", "work", provider="worker", idempotent=True)
class Work:
    async def __call__(self, *, text: str) -> str:
        if text == "fails":
            raise ValueError("it fails")
        if text == "parks":
            raise Unserved("it is not here")
        if text == "waits":
            await asyncio.Event().wait()
        return text
"""
FILES = {
    "settings/app.yml": "name: shop\npackages: [hooked]\n",
    "settings/workflows.yml": """workflows:
  two:
    nodes:
      one: {call: task:work, with: {text: "${input.text}"}, retry: {attempts: 2, delay: 0}}
      two: {call: task:work, with: {text: "${one}"}, when: [{path: input.more, equals: true}]}
    result: {two: "${two:-null}"}
  none: {nodes: {one: {call: task:work, with: {text: a}, when: [{path: input.more, equals: true}]}}}
""",
    "settings/events.yml": f"""topics: {{{", ".join(f"workflow.{each}: {{}}" for each in (*KINDS, *NODES))}}}
subscriptions:
  heard: {{topics: ["workflow.*"]}}
  kept: {{topics: [workflow.run.completed], delivery: durable}}
""",
    "settings/tenants/acme.yml": "{}\n",
    "hooked/__init__.py": "",
    "hooked/parts.py": PARTS,
}


@pytest.fixture(name="project", params=["inline", "dbos"])
def a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Path]:
    settings = {"dbos": "provider_settings: {dbos: {path: runs.db, poll: 0.05}}\n"}.get(request.param, "")
    files = {**FILES, "settings/adapters.yml": f"selections: {{engine: {request.param}}}\n{settings}"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    diagnostics = Diagnostics()
    outputs = compile_project(Project.at(tmp_path, {}), diagnostics)
    assert outputs is not None, list(diagnostics)
    write(outputs, diagnostics)
    yield tmp_path
    for name in ("hooked", "hooked.parts"):
        sys.modules.pop(name, None)


def heard(of: str) -> list[tuple[str, str | None]]:
    """What was told of a run, each with its node."""
    seen: Any = sys.modules["hooked.parts"].SEEN
    return [(kind, event.get("node")) for kind, _, event in seen if event["run"] == of]


def told(of: str, what: str) -> bool:
    return (what, None) in heard(of)


async def ended(wiring: Any, flow: str, of: str, **payload: Any) -> None:
    handle = await getattr(wiring.workflows, flow).start(payload, id=of)
    try:
        await handle.result()
    except Exception as error:
        assert "it fails" in str(error)


def test_runs_and_nodes_are_told_of(project: Path) -> None:
    async def story() -> None:
        async with Runtime(load(project / "generated/wiring.py")) as runtime:
            base: Any = runtime.wiring
            await ended(base, "two", "good", text="a", more=True)
            await ended(base, "two", "half", text="a", more=False)
            await ended(base, "two", "bad", text="fails", more=True)
            await ended(base, "none", "idle", more=False)
            await ended(runtime.tenant("acme"), "two", "theirs", text="a", more=True)
            waits = await base.workflows.two.start({"text": "waits", "more": True}, id="gone")
            await until(lambda: ("workflow.node.started", "one") in heard("gone"))
            assert await waits.cancel()
            ends = {"good": "completed", "half": "completed", "bad": "failed", "idle": "completed"}
            for each, last in {**ends, "theirs": "completed", "gone": "cancelled"}.items():
                await until(partial(told, each, f"workflow.run.{last}"))
            await until(lambda: ("durable workflow.run.completed", None) in heard("theirs"))
            parked = await base.workflows.two.start({"text": "parks", "more": True}, id="parked")
            await until(lambda: ("workflow.node.started", "one") in heard("parked"))
            while (await parked.status()).state != "parked":
                await asyncio.sleep(0.01)
            seen: Any = sys.modules["hooked.parts"].SEEN
            ids = [(kind, id) for kind, id, _ in seen]
            assert len(ids) == len(set(ids))
            by_id = {id: event for kind, id, event in seen if not kind.startswith("durable")}
        assert [each for each in heard("good") if not each[0].startswith("durable")] == [
            ("workflow.run.started", None),
            ("workflow.node.started", "one"), ("workflow.node.completed", "one"),
            ("workflow.node.started", "two"), ("workflow.node.completed", "two"),
            ("workflow.run.completed", None),
        ]  # fmt: skip
        assert heard("half").count(("workflow.node.skipped", "two")) == 1
        assert heard("bad")[-2:] == [("workflow.node.failed", "one"), ("workflow.run.failed", None)]
        assert ("workflow.run.started", None) in heard("idle")
        assert by_id["bad/one/node.failed"] == {
            "run": "bad", "workflow": "workflow:two", "tenant": None, "node": "one",
            "type": "ValueError", "message": "it fails", "attempts": 2,
        }  # fmt: skip
        assert by_id["bad/run.failed"]["errors"][0]["node"] == "one"
        assert by_id["theirs/run.completed"]["tenant"] == "acme"

    run(story(), within=40)
