"""How to add a diagnostic and a command, as CONTRIBUTING.md tells it: recorded, and made in a copy."""

from __future__ import annotations

from pathlib import Path

from tests.recipes.harness import Copy

CASE = "tests/golden/recorded_empty_overlay"


def test_a_diagnostic_takes_three_files_and_a_case(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    by_hand = {
        "compiler/oneiric_compiler/diagnostics/codes.py",
        "compiler/oneiric_compiler/stages/read.py",
        "changes/+empty-overlay.added.md",
        f"{CASE}/settings/app.yml",
        f"{CASE}/settings/profiles/quiet.yml",
    }
    assert copy.apply("diagnostic") == by_hand
    copy.python("-m", "pytest", "-q", "--snapshot-update", "tests/golden/test_golden.py", "-k", "recorded")
    copy.python("-m", "pytest", "-q", "--snapshot-update", "tests/golden/test_golden_examples.py")
    want = {f"{CASE}/want/{name}" for name in ("errors.txt", "explain.json", "wiring.py")}
    want |= {f"{CASE}/want/quiet/{name}" for name in ("explain.json", "wiring.py")}
    made = {"compiler/oneiric_compiler/diagnostics/examples.txt", "docs/diagnostics.md"}
    assert copy.generate() - want == by_hand | made
    copy.check("tests/golden/test_golden_examples.py")


def test_a_command_takes_four_files_and_a_test(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    by_hand = {
        "compiler/oneiric_compiler/cli/app.py",
        "compiler/oneiric_compiler/cli/tenants.py",
        "docs/command.md",
        "changes/+tenants-command.added.md",
        "tests/unit/cli/test_cli_tenants.py",
    }
    assert copy.apply("command") == by_hand
    assert copy.generate() == by_hand
    copy.check("tests/unit/cli/test_cli_tenants.py")
