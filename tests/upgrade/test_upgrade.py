"""Reports and wirings of earlier releases: read as they are, and run, or refused with what to do.

`unlisted` is of a release that had no list of tenants, `listed` of the first one that has. Both are kept as they were
written, from `project`.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import LoadError, Runtime

from tests.unit.cli.running import run

HERE = Path(__file__).parent
RELEASES = ("unlisted", "listed")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    shutil.copytree(HERE / "project", root)
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.delitem(sys.modules, "upgraded.parts", raising=False)
    monkeypatch.delitem(sys.modules, "upgraded", raising=False)
    return root


def of_release(project: Path, release: str) -> Path:
    shutil.copytree(HERE / release, project / "generated")
    return project / "generated"


def changes(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Those of the project's own keys: which built-ins there are is another matter."""
    profiles = json.loads(done.stdout)["profiles"].values()
    return [change for profile in profiles for change in profile if change["key"].startswith("service:")]


@pytest.mark.parametrize("release", RELEASES)
def test_its_reports_are_read(project: Path, release: str) -> None:
    report = of_release(project, release) / "explain.json"
    told = run("explain", "service:mailer", "--from-report", str(report), cwd=project)
    assert told.returncode == 0
    assert told.stdout.startswith("service:mailer is served by plain\n")
    assert (
        run("explain", "service:mailer", "--tenant", "acme", "--from-report", str(report), cwd=project).returncode == 0
    )
    assert run("list", cwd=project).returncode == 0
    assert run("matrix", cwd=project).returncode == 0


@pytest.mark.parametrize(("release", "differs"), [("unlisted", {"standby"}), ("listed", set())])
def test_a_diff_says_what_the_old_report_did_not_know_and_no_more(
    project: Path, release: str, differs: set[str]
) -> None:
    assert run("compile", cwd=project).returncode == 0
    done = run("diff", str(HERE / release), "generated", "--format", "json", cwd=project)
    assert {change["class"] for change in changes(done)} == differs


def test_a_check_asks_for_a_compile(project: Path) -> None:
    of_release(project, "unlisted")
    checked = run("compile", "--check", cwd=project)
    assert checked.returncode == 1
    assert "run `oneiric compile` and commit what it writes" in checked.stderr
    assert run("compile", cwd=project).returncode == 0
    assert run("compile", "--check", cwd=project).returncode == 0


def test_a_wiring_whose_tenants_are_not_listed_is_refused(project: Path) -> None:
    wiring = of_release(project, "unlisted") / "wiring.py"
    with pytest.raises(LoadError, match="compile again") as raised:
        oneiric.load(wiring)
    assert raised.value.code == "shape"


@pytest.mark.parametrize(("wiring", "answer"), [("unlisted/production", "paid hi"), ("listed", "dear hi")])
def test_any_other_runs(project: Path, wiring: str, answer: str) -> None:
    loaded = oneiric.load(HERE / wiring / "wiring.py")

    async def story() -> None:
        async with Runtime(loaded, environ={"ONEIRIC_SECRET_MAIL": "hunter2"}) as runtime:
            desk = await runtime.use("service", "desk")
            assert await desk.answer("hi") == answer
            if wiring == "listed":
                assert runtime.tenants() == ("acme", "zeta")
                tenant = await runtime.use("service", "desk", tenant="acme")
                assert await tenant.answer("hi") == "good day hi"

    asyncio.run(story())
