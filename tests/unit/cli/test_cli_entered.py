"""What questions answer of factories that are entered, and of those of installed distributions."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.running import run

GOLDEN = Path(__file__).parents[2] / "golden"
ENTERED = GOLDEN / "factories_entered" / "want" / "explain.json"
INSTALLED = GOLDEN / "factories_installed" / "want" / "explain.json"


def test_explain_says_that_it_is_entered(tmp_path: Path) -> None:
    told = run("explain", "generator", "--from-report", ENTERED, cwd=tmp_path).stdout
    assert "entered, and left in place of a close" in told
    assert "entered, and" not in run("explain", "decorated", "--from-report", ENTERED, cwd=tmp_path).stdout


def test_diff_says_what_is_entered_no_longer(tmp_path: Path) -> None:
    report = json.loads(ENTERED.read_text())
    del report["bindings"]["adapter:generator"]["entered"]
    (tmp_path / "new.json").write_text(json.dumps(report))
    told = run("diff", ENTERED, "new.json", cwd=tmp_path)
    assert told.returncode == 1
    assert "entered: removed true" in told.stdout


def test_diff_says_which_version_is_installed_now(tmp_path: Path) -> None:
    report = json.loads(INSTALLED.read_text())
    report["inputs"]["distributions"]["acme-clients"] = "2.0"
    (tmp_path / "new.json").write_text(json.dumps(report))
    told = run("diff", INSTALLED, "new.json", cwd=tmp_path)
    assert told.returncode == 1
    assert "distributions acme-clients" in told.stdout
