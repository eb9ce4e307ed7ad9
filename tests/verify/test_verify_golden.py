"""Whatever a compile makes holds: `verify` finds nothing in what any golden case comes to."""

from __future__ import annotations

import json

import pytest
from oneiric_compiler.verify import choosing, verify

from tests.golden.golden_cases import Case, all_cases, compiled


@pytest.mark.parametrize("case", [each for each in all_cases() if each.succeeds], ids=lambda case: case.name)
def test_what_a_golden_case_comes_to_holds(case: Case) -> None:
    outputs = compiled(case).outputs
    assert outputs is not None
    for _, files in outputs.profiles.values():
        report = json.loads(files["explain.json"])
        assert [*verify(report, files["wiring.py"], files.get("tenants.jsonl", b""))] == []
    base = outputs.profiles.get("default", ("", {}))[1]
    if "choose.py" in base:
        reports = {name: json.loads(files["explain.json"]) for name, (_, files) in outputs.profiles.items()}
        assert [*choosing(reports, base["choose.py"])] == []
        backwards = {name: reports[name] for name in reversed([*reports])}
        assert [*choosing(backwards, base["choose.py"])] == []
