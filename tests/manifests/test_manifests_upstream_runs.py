"""Upstream's sample manifests in a whole application: compiled, then run with stand-in factories, in a process each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from oneiric.flows.graph import levels
from oneiric_compiler.stages.write import write

from tests.golden.signing import PUBLIC
from tests.manifests.pinned import compiled, pin_of, write_files
from tests.samples import sample

STANDINS = """
from __future__ import annotations

import asyncio
from typing import Any

CALLS: list[list[Any]] = []
FAILS: dict[str, int] = {}
HANGS: dict[str, int] = {}
SLOW: set[str] = set()


async def called(key: str, given: dict[str, Any]) -> None:
    CALLS.append([key, given])
    if HANGS.get(key):
        HANGS[key] -= 1
        await asyncio.sleep(60)
    if FAILS.get(key):
        FAILS[key] -= 1
        raise ConnectionError(key)
    await asyncio.sleep(0.1 if key in SLOW else 0)
    CALLS.append([key, "over"])


class Task:
    key = ""

    async def __call__(self, *, channel: str = "", stage: str = "", severity: str = "") -> str:
        given = {"channel": channel, "stage": stage, "severity": severity}
        await called(self.key, {name: value for name, value in given.items() if value})
        return self.key


class Handler:
    key = ""

    async def __call__(self, *, event: dict[str, object]) -> str:
        await called(self.key, event)
        return self.key
"""
MAIN = """
from __future__ import annotations

import asyncio
import json
from typing import Any

import standins
from generated.wiring import Wiring
from oneiric import Runtime

TOLD: dict[str, Any] = {}


def told(emitted: Any) -> list[Any]:
    return [[each.handler, each.state, each.attempts] for each in emitted.handlers]


async def main() -> None:
    async with Runtime(Wiring) as runtime:
        topics: Any = getattr(runtime.wiring, "topics", None)
        workflows: Any = getattr(runtime.wiring, "workflows", None)
WORK
    print(json.dumps({**TOLD, "calls": standins.CALLS}))


asyncio.run(asyncio.wait_for(main(), 60))
"""


def sampled(name: str) -> Any:
    path = sample(name)
    if not path.exists():
        pytest.skip(f"{name} is not here")
    return yaml.safe_load(path.read_bytes())


def served(name: str, **changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of a sample that run here: each with a stand-in of its own, and with `changes` by key."""
    return [
        {**each, "factory": f"standins:{_class(each)}", **changes.get(each["key"], {})}
        for each in sampled(name)["entries"]
        if each["domain"] in ("task", "event", "workflow") and "requires" not in each
    ]


def _class(entry: Mapping[str, Any]) -> str:
    return "".join(part.capitalize() for part in entry["key"].replace(".", "-").replace("_", "-").split("-"))


def ran(root: Path, entries: list[dict[str, Any]], topics: list[str], work: str) -> dict[str, Any]:
    """What the application says that it did."""
    kinds = {"event": "Handler", "task": "Task", "workflow": "Task"}
    standins = [f"class {_class(e)}({kinds[e['domain']]}):\n    key = {e['key']!r}\n" for e in entries]
    source: dict[str, Any] = {"name": "up", "address": "https://cdn.example/up.yaml", "keys": [PUBLIC["a"]]}
    source |= {"allow": ["standins"], "topics": ["*"]}
    files = {
        "settings/app.yml": "name: up\n",
        "settings/adapters.yml": "selections: {engine: inline}\n",
        "settings/remote.yml": json.dumps({"sources": [source]}),
        "settings/events.yml": json.dumps({"topics": {topic: {} for topic in topics}}) if topics else "",
        "standins.py": "\n\n".join([STANDINS, *standins]),
        "main.py": MAIN.replace("WORK", "\n".join(f"        {line}" for line in work.strip().splitlines())),
    }
    write_files(root, {name: text for name, text in files.items() if text})
    pin_of(root, "up", entries)
    outputs, messages, diagnostics = compiled(root)
    assert outputs is not None, messages
    write(outputs, diagnostics)
    done = subprocess.run(
        [sys.executable, "main.py"], cwd=root, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_sample_delivers_what_its_filter_passes_and_runs_its_workflow(tmp_path: Path) -> None:
    work = """
TOLD["prod"] = told(await topics.demo_user_created.emit({"environment": "prod"}))
TOLD["test"] = told(await topics.demo_user_updated.emit({"environment": "test"}))
run = await workflows.remote_workflow.start({})
TOLD["result"] = (await run.result(), (await run.status()).state)
"""
    told = ran(tmp_path, served("upstream-sample-manifest.yaml"), ["demo.user.created", "demo.user.updated"], work)
    assert (told["prod"], told["test"]) == ([["remote.event", "completed", 1]], [])
    assert told["result"][1] == "completed"
    begun = [call for call in told["calls"] if call[1] != "over"]
    assert begun == [
        ["remote.event", {"environment": "prod"}],
        ["remote-task", {}],
        ["remote-task", {"channel": "ops"}],
    ]


def test_version_2_retries_and_times_out_as_it_says_and_asks_headers_of_the_envelope(tmp_path: Path) -> None:
    work = """
standins.FAILS.update({"extract-task": 2, "load-task": 5})
standins.HANGS["webhook.dispatch"] = 1
us = {"account_region": "us"}
TOLD["traced"] = told(await topics.webhook_received.emit(us, extensions={"traceid": "t1"}))
TOLD["untraced"] = told(await topics.webhook_received.emit(us))
TOLD["elsewhere"] = told(await topics.webhook_retry.emit({"account_region": "eu"}, extensions={"traceid": "t1"}))
run = await workflows.data_pipeline.start({})
try:
    await run.result()
except Exception as error:
    TOLD["failed"] = str(error)
"""
    entries = served("upstream-sample-manifest-v2.yaml", **{"webhook.dispatch": {"timeout_seconds": 0.3}})
    told = ran(tmp_path, entries, ["webhook.received", "webhook.retry"], work)
    assert told["traced"] == [["webhook.dispatch", "completed", 2]]  # the first attempt took too long
    assert (told["untraced"], told["elsewhere"]) == ([], [])
    assert "load-task" in told["failed"]
    steps = [key for key, given in told["calls"] if given != "over" and key != "webhook.dispatch"]
    assert steps == ["extract-task"] * 3 + ["load-task"] * 2


def test_the_parity_manifest_runs(tmp_path: Path) -> None:
    work = """
TOLD["ours"] = told(await topics.fastblocks_order_created.emit({"tenant": "fastblocks"}))
TOLD["others"] = told(await topics.fastblocks_order_created.emit({"tenant": "splashstand"}))
await (await workflows.fastblocks_workflows_fulfillment.start({})).result()
"""
    told = ran(tmp_path, served("upstream-parity-manifest.yaml"), ["fastblocks.order.created"], work)
    assert (told["ours"], told["others"]) == ([["fastblocks.order.created", "completed", 1]], [])
    assert [call for call in told["calls"] if call[1] != "over"][1:] == [
        ["fastblocks.tasks.stage-order", {"stage": "inventory"}],
        ["fastblocks.tasks.notify", {"channel": "releases", "severity": "info"}],
    ]


def test_the_workflows_by_options_run_level_by_level(tmp_path: Path) -> None:
    dags: dict[str, Any] = {options: each["dag"] for options, each in sampled("dag-by-options.json").items()}
    tasks = sorted({node["task"] for dag in dags.values() for node in dag["nodes"]})
    entry = {"provider": "crackerjack"}
    entries: list[dict[str, Any]] = [{**entry, "domain": "task", "key": key} for key in tasks]
    entries += [{**entry, "domain": "workflow", "key": f"by-{key}", "dag": dag} for key, dag in dags.items()]
    entries = [{**each, "factory": f"standins:{_class(each)}"} for each in entries]
    work = """
standins.SLOW.add("tests")
for name in DAGS:
    standins.CALLS.clear()
    await (await getattr(workflows, f"by_{name}").start({})).result()
    TOLD[name] = list(standins.CALLS)
""".replace("DAGS", repr(list(dags)))
    told = ran(tmp_path, entries, [], work)
    for options, dag in dags.items():
        by_level = levels({node["id"]: node.get("depends_on", []) for node in dag["nodes"]})
        level_of = {name: number for number, level in enumerate(by_level) for name in level}
        came = [(level_of[key], given == "over") for key, given in told[options]]
        assert sorted(key for key, given in told[options] if given == "over") == sorted(level_of)
        assert came == sorted(came), options  # a level begins when the one before is over
