"""The alerts of docs/monitoring: taken by promtool, with a firing and a silent case of each, and a runbook of each."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.docs.test_docs import ROOT
from tests.unit.cli.running import DEADLINE

FOLDER = ROOT / "docs/monitoring"
RULES: list[Any] = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]


@pytest.mark.parametrize(("what", "file"), [("check", "alerts.yml"), ("test", "alerts.test.yml")])
def test_promtool_takes_them(what: str, file: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool: apt-get install prometheus")
    words = [promtool, what, "rules", file]
    done = subprocess.run(words, cwd=FOLDER, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


def test_each_has_a_firing_and_a_silent_case() -> None:
    cases = yaml.safe_load((FOLDER / "alerts.test.yml").read_text("utf-8"))["tests"]
    asked = [case["alert_rule_test"] for case in cases]
    assert all(len(each) == 1 for each in asked)
    fires = {(each["alertname"], bool(each.get("exp_alerts"))) for (each,) in asked}
    assert fires == {(rule["alert"], fires) for rule in RULES for fires in (True, False)}
    assert len(asked) == 2 * len(RULES)


def test_the_page_lists_them_with_their_runbooks() -> None:
    page = (ROOT / "docs/observability.md").read_text("utf-8")
    listed = re.findall(r"^\| `(Oneiric\w+)` \|.*\(how-to/runbooks\.md#([a-z-]+)\) \|$", page, re.M)
    assert listed == [(rule["alert"], rule["annotations"]["runbook"]) for rule in RULES]
    titles = re.findall(r"^## (.+)$", (ROOT / "docs/how-to/runbooks.md").read_text("utf-8"), re.M)
    assert {runbook for _, runbook in listed} <= {title.lower().replace(" ", "-") for title in titles}
