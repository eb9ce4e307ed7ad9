"""Upstream's `schedules.json` as settings/tasks.yml."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.cli.running import run

TASKS = """
from oneiric import component


@component("task", "dream", provider="stand-in")
class Dream:
    async def __call__(self, *, message: str, deliver: bool) -> None: ...


@component("task", "report", provider="stand-in")
class Report:
    async def __call__(self, *, message: str, tags: list[str]) -> None: ...


@component("task", "j2", provider="stand-in")
class Opening:
    async def __call__(self) -> None: ...
"""
DREAM = {
    "createdAtMs": 1775634010772,
    "deleteAfterRun": False,
    "enabled": True,
    "id": "dream",
    "name": "dream",
    "payload": {"channel": None, "deliver": False, "kind": "system_event", "message": "", "to": None},
    "schedule": {"atMs": None, "everyMs": 7200000, "expr": None, "kind": "every", "tz": None},
    "state": {
        "lastError": None, "lastRunAtMs": None, "lastStatus": None, "nextRunAtMs": 1775641210773, "runHistory": []
    },
    "updatedAtMs": 1775634010772,
}  # fmt: skip
"""A job as upstream wrote it."""
ODD = "\0\a\x7f\x85\x9f\xa0\ufeff\ufffe\uffff\u2028\U0001f600"
REPORT = {
    "id": "j1",
    "name": "report",
    "enabled": True,
    "schedule": {"kind": "cron", "expr": "30 2 * * 1-5", "tz": "Europe/Berlin", "atMs": None, "everyMs": None},
    "payload": {"message": 'costs ${x} or $${y}: "no"\n# é', "tags": ["off", "1e3", "~", ODD]},
}
OPENING = {"id": "j2", "name": "Opening day", "schedule": {"kind": "at", "atMs": 1798761600500}, "deleteAfterRun": True}


def converted(root: Path, *jobs: Any, code: int) -> Any:
    (root / "schedules.json").write_text(json.dumps({"version": 1, "jobs": jobs}))
    done = run("schedule", "convert", "schedules.json", "--json", cwd=root)
    assert (done.returncode, done.stderr) == (code, "")
    return json.loads(done.stdout)


def told(root: Path, job: Mapping[str, Any], code: int = 1) -> list[tuple[str, str]]:
    """Where something is found, and how grave it is."""
    return [(each["at"], each["severity"]) for each in converted(root, job, code=code)["findings"]]


def test_what_it_writes_compiles_and_is_due_as_upstream_says(tmp_path: Path) -> None:
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings/app.yml").write_text("name: app\npackages: [app]\n")
    (tmp_path / "settings/adapters.yml").write_text("selections: {engine: inline}\n")
    (tmp_path / "app").mkdir()
    (tmp_path / "app/__init__.py").write_text(TASKS)
    (tmp_path / "all.json").write_text(json.dumps({"version": 1, "jobs": [DREAM, REPORT, OPENING]}))
    done = run("schedule", "convert", "all.json", "--out", "settings/tasks.yml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "written settings/tasks.yml: 3 of 3 jobs\n")
    assert "  --> all.json#/jobs/0/payload/kind\n" in done.stderr
    compiled = run("compile", cwd=tmp_path)
    assert compiled.returncode == 0, compiled.stderr

    written = yaml.safe_load((tmp_path / "settings/tasks.yml").read_text())["schedules"]
    assert written == converted(tmp_path, DREAM, REPORT, OPENING, code=1)["schedules"]

    def ticks(name: str, after: str) -> list[str]:
        found = run("schedule", "next", name, "--from", after, "--count", "2", "--json", cwd=tmp_path)
        return list(json.loads(found.stdout)["ticks"])

    assert ticks("dream", "2026-04-08T08:00:00Z") == ["2026-04-08T10:00:00Z", "2026-04-08T12:00:00Z"]
    assert ticks("report", "2026-10-23T01:00:00Z") == ["2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z"]
    assert ticks("report", "2026-06-05T01:00:00Z") == ["2026-06-08T00:30:00Z", "2026-06-09T00:30:00Z"]
    assert ticks("j2", "2026-06-05T01:00:00Z") == ["2027-01-01T00:00:00.500000Z"]
    again = run("schedule", "convert", "all.json", "--out", "settings/tasks.yml", cwd=tmp_path)
    assert again.returncode == 2 and "is not written over" in again.stderr


def test_nothing_is_left_out(tmp_path: Path) -> None:
    found = converted(tmp_path, REPORT, code=0)
    assert found["findings"] == []
    given = {"message": 'costs $${x} or $$${y}: "no"\n# é', "tags": ["off", "1e3", "~", ODD]}
    assert found["schedules"] == {
        "report": {"cron": "30 2 * * 1-5", "zone": "Europe/Berlin", "call": "task:report", "with": given}
    }
    notes = [("/jobs/0/name", "note"), ("/jobs/0/deleteAfterRun", "note")]
    assert told(tmp_path, OPENING, code=0) == notes


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"enabled": False}, "/enabled"),
        ({"deleteAfterRun": True}, "/deleteAfterRun"),
        ({"payload": {"kind": "system_event"}}, "/payload/kind"),
        ({"payload": "text"}, "/payload"),
        ({"of/it": 1}, "/of~1it"),
        ({"name": "two words", "id": None}, "/name"),
        ({"schedule": None}, "/schedule"),
        ({"schedule": {"kind": []}}, "/schedule"),
        ({"schedule": {"kind": "at", "atMs": "soon"}}, "/schedule/atMs"),
        ({"schedule": {"kind": "at", "atMs": 10**30}}, "/schedule/atMs"),
        ({"schedule": {"kind": "every", "everyMs": 10}}, "/schedule/everyMs"),
        ({"schedule": {"kind": "every", "everyMs": True}}, "/schedule/everyMs"),
        ({"schedule": {"kind": "cron", "expr": "@daily", "tz": "UTC"}}, "/schedule/expr"),
        ({"schedule": {"kind": "cron", "expr": "0 0 30 2 *", "tz": "UTC"}}, "/schedule/expr"),
        ({"schedule": {"kind": "cron", "expr": "0 0 */2 * 1", "tz": "UTC"}}, "/schedule/expr"),
        ({"schedule": {"kind": "cron", "expr": "0 0 * * 1", "tz": "Mars/Base"}}, "/schedule/tz"),
        ({"schedule": {"kind": "cron", "expr": "0 0 * * 1", "tz": None}}, "/schedule/tz"),
        ({"schedule": {"kind": "at", "atMs": 0, "tz": "UTC"}}, "/schedule/tz"),
    ],
)
def test_what_cannot_be_said_is_told_by_its_place(tmp_path: Path, change: dict[str, Any], at: str) -> None:
    assert told(tmp_path, {**REPORT, **change}) == [(f"/jobs/0{at}", "warning")]


def test_other_jobs_are_converted_all_the_same(tmp_path: Path) -> None:
    found = converted(tmp_path, 1, {**REPORT, "enabled": False}, REPORT, {**OPENING, "name": "report"}, code=1)
    assert [*found["schedules"]] == ["report", "j2"]
    first, second, third, _ = found["findings"]
    assert (first["at"], second["at"], third["at"]) == ("/jobs/0", "/jobs/1/enabled", "/jobs/3/name")
    assert 'report: {cron: "30 2 * * 1-5", zone: "Europe/Berlin", call: "task:report"' in second["help"]


@pytest.mark.parametrize(
    "text",
    ["", "no", "[]", "{}", '{"jobs": {}, "version": 1}', '{"jobs": []}', '{"jobs": [], "version": true}',
     '{"jobs": [NaN], "version": 1}', '{"jobs": ["\\ud800"], "version": 1}', "[" * 100_000, "\0\xff"],
)  # fmt: skip
def test_a_file_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "schedules.json").write_text(text, "latin-1")
    done = run("schedule", "convert", "schedules.json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: schedules.json holds no schedules of upstream: it")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = run("schedule", "convert", "schedules.json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and "schedules.json" in done.stderr
