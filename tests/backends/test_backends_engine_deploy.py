"""Engine `dbos` in an application that is swapped and deployed: runs go on as they are promised to."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.serve.serving import Served, command, until

RUNS = 15
FILES = {
    "settings/app.yml": "name: deployed\npackages: [deployed]\n",
    "settings/adapters.yml": "provider_settings: {dbos: {path: runs.db, poll: 0.05}}\n",
    "settings/workflows.yml": """workflows:
  now: {nodes: {a: {call: task:wait}, b: {call: task:note, after: [a]}}, result: "${b}"}
  then: {nodes: {a: {call: task:wait}, b: {call: task:note, after: [a]}}, result: "${b}", steps: pinned}
""",
    "deployed/__init__.py": "",
    "deployed/parts.py": """
import asyncio
from pathlib import Path

from oneiric import component, token


@component("task", "wait", provider="gate", idempotent=True)
class Gate:
    async def __call__(self) -> None:
        Path("begun").mkdir(exist_ok=True)
        Path("begun", str(token()).replace("/", "-")).touch()
        while not Path("open").exists():
            await asyncio.sleep(0.05)


@component("task", "note", provider="old")
class Old:
    async def __call__(self) -> str:
        return "old"


@component("task", "note", provider="new", stack_level=-1)
class New:
    async def __call__(self) -> str:
        return "new"
""",
}
NEW = "selections: {note: new}\n"


def compiled(root: Path, **sections: str) -> None:
    for name, text in sections.items():
        (root / f"settings/{name}.yml").write_text(text)
    subprocess.run([sys.executable, "-m", "oneiric_compiler", "compile"], cwd=root, check=True, capture_output=True)


@pytest.fixture(name="root")
def a_project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    compiled(tmp_path)
    return tmp_path


def results(root: Path) -> dict[str, set[str]]:
    """What the runs of each workflow came to, once all have."""
    found: dict[str, set[str]] = {"now": set(), "then": set()}
    for name in found:
        for n in (0, RUNS // 2, RUNS - 1):
            shown = json.loads(command(root, "workflow", "show", f"{name}-{n}", "--json").stdout)
            found[name].add(str(shown["result"]))
    return found


class Serving(Served):
    """One that may take its time to start: DBOS and its tables take long where much else is done."""

    def __enter__(self) -> Served:
        until(lambda: self.runs() or self.process.poll() is not None, within=120)
        return super().__enter__()


def begin(served: Served) -> None:
    """Have all runs begin, and wait until the first step of each is under way."""
    for name in ("now", "then"):
        for n in range(RUNS):
            asked = {"key": f"workflow:{name}", "payload": "{}", "id": f"{name}-{n}", "queue": None, "tenant": None}
            served.ask("workflow-start", **asked)
    folder = served.root / "begun"
    until(lambda: folder.exists() and len([*folder.iterdir()]) == 2 * RUNS, within=120)


def states(root: Path) -> set[str]:
    listed = json.loads(command(root, "workflow", "list", "--limit", "1000", "--json").stdout)["runs"]
    assert len(listed) == 2 * RUNS
    return {each["state"] for each in listed}


def test_a_swap_of_the_engine_is_refused_and_runs_go_on_as_promised_across_swap_and_deploy(root: Path) -> None:
    with Serving(root, name="deployed") as served:
        begin(served)
        before = served.ask("status")["generation"]
        refused = command(root, "swap", "adapter:engine", "inline", code=1)
        assert refused.stderr.startswith("rejected[restart-needed]: restart needed: adapter:engine (dbos)")
        answer = served.swap("adapter:engine", "inline", force=True)
        assert (answer["accepted"], answer["code"], answer["generation"]) == (False, "restart-needed", before)
        assert states(root) == {"running"}
        assert served.swap("task:note", "new")["accepted"]
        served.process.send_signal(signal.SIGKILL)
        served.wait()
    compiled(root, tasks=NEW, services="# a deploy\n")
    with Serving(root, name="deployed") as served:
        assert served.ask("status")["generation"] != before
        (root / "open").touch()
        until(lambda: states(root) == {"completed"}, within=120)
        assert results(root) == {"now": {"new"}, "then": {"old"}}
