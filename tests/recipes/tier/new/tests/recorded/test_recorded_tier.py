"""What the recorded tier and option come to in a project: nothing but their rows was written for it."""

from __future__ import annotations

import json
from pathlib import Path

from oneiric.report import parse_report
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.questions.explain.key import why_not
from oneiric_compiler.text.paint import paint
from oneiric_compiler.verify import verify

PARTS = """\
from oneiric import component


@component("service", "pay", provider="one", maturity=2, approved=True)
class One:
    pass


@component("service", "pay", provider="two", maturity=1)
class Two:
    pass
"""


def test_the_more_mature_serves_and_is_told_to_be_tried(tmp_path: Path) -> None:
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings/app.yml").write_text("name: shop\npackages: [parts]\n")
    (tmp_path / "parts.py").write_text(PARTS)
    outputs = compile_project(Project.at(tmp_path, {}), Diagnostics())
    assert outputs is not None
    files = outputs.profiles["default"][1]
    report = json.loads(files["explain.json"])
    binding = report["bindings"]["service:pay"]
    assert (binding["decided_by"], binding["because"]) == ("maturity", "maturity 2 beats 1 of two")
    winner, loser = binding["candidates"]
    assert (winner["maturity"], winner["approved"], "approved" in loser) == (2, True, False)
    assert (loser["lost_by"], loser["compared"]) == ("maturity", [1, 2])
    assert [{"at": "parts.py#Two/maturity", "set": 3}] in loser["wins_if"]
    assert b"      approved=True)" in files["wiring.py"]
    assert list(verify(report, files["wiring.py"], b"")) == []
    told = paint(why_not(parse_report(files["explain.json"]), "service:pay", "two", str), styled=False)
    assert "lost by maturity: 1 is less than 2" in told
    assert "priority 0, stack level 0, maturity 1" in told
