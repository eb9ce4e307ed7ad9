"""Workflows, and what calls keys besides code, as `explain` shows them; a damaged report is told as one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.unit.cli.running import run

REPORT = Path(__file__).parents[2] / "golden" / "events_declared" / "want" / "explain.json"
KEYS = ("workflow:fulfil", "task:label", "event:welcome")


def test_a_workflow_is_drawn_by_levels_and_keys_name_what_calls_them(
    tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    shown = [run("explain", key, "--from-report", REPORT, cwd=tmp_path) for key in KEYS]
    assert {each.returncode for each in shown} == {0}
    assert "\n".join(each.stdout for each in shown) == snapshot


def test_a_tenants_workflow_is_drawn_as_the_tenant_has_it(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    report = REPORT.parents[2] / "flow_of_tenants" / "want" / "explain.json"
    for words in ((), ("--tenant", "acme")):
        shown = run("explain", "workflow:fulfil", "--from-report", report, *words, cwd=tmp_path)
        assert shown.returncode == 0
        assert shown.stdout == snapshot


@pytest.mark.parametrize(
    "path",
    ["workflows/fulfil/nodes", "workflows/fulfil/levels", "workflows/fulfil/nodes/reserve/call", "schedules/poll/call",
     "subscriptions/welcome/topics", "workflows/fulfil", "schedules", "subscriptions/audit"],
)  # fmt: skip
@pytest.mark.parametrize("value", [None, 7, "x", [[]]])
def test_a_damaged_report_is_told(tmp_path: Path, path: str, value: Any) -> None:
    report = json.loads(REPORT.read_text("utf-8"))
    *parents, last = path.split("/")
    inner = report
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    damaged = tmp_path / "explain.json"
    damaged.write_text(json.dumps(report))
    for words in (
        ("explain", "workflow:fulfil", "--from-report", damaged),
        ("diff", REPORT, damaged),
        ("list", "--from-report", damaged),
    ):
        done = run(*words, cwd=tmp_path)
        assert done.returncode in (0, 1, 2)
