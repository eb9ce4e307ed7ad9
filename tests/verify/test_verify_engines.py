"""A domain's engine, from the table into report and wiring; what somebody could write of it by hand, `verify` finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from oneiric import load
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.stages import report as stage
from oneiric_compiler.verify import verify

pytestmark = pytest.mark.usefixtures("no_builtins")

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/explain.schema.json").read_text())
ENGINE = "oneiric.engines.services:Services"
LINE = f'    __engine__ = "{ENGINE}"\n'
FILES = {
    "settings/app.yml": "name: shop\npackages: [shop]\n",
    "shop/__init__.py": "",
    "shop/parts.py": """\
from oneiric import component

@component("service", "mail", provider="smtp")
class Smtp: ...

@component("task", "nightly", provider="nightly")
class Nightly: ...
""",
}
Outputs = dict[str, bytes]


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outputs:
    """Of a project whose services have an engine; workflows have one as well, and it has none of those."""
    monkeypatch.setattr(stage, "ENGINES", {"service": ENGINE, "workflow": "oneiric.engines.workflows:Workflows"})
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    compiled = compile_project(Project.at(tmp_path, {}), Diagnostics())
    assert compiled is not None
    return compiled.profiles["default"][1]


def findings(report: dict[str, Any], wiring: str) -> list[str]:
    return [*verify(report, wiring.encode(), b"")]


def test_it_is_a_fact_of_the_report_and_a_line_of_the_wiring(outputs: Outputs, tmp_path: Path) -> None:
    report, text = json.loads(outputs["explain.json"]), outputs["wiring.py"].decode()
    assert report["engines"] == {"service": ENGINE}
    assert list(Draft202012Validator(SCHEMA).iter_errors(report)) == []
    assert b'\n "engines": {\n  "service": "oneiric.engines' in outputs["explain.json"]
    assert f"class Services(Domain):\n    _wiring: Wiring\n{LINE}\n    if TYPE_CHECKING:" in text
    assert text.count("__engine__") == 1
    assert findings(report, text) == []
    (tmp_path / "wiring.py").write_text(text)
    named = {name: domain.__engine__ for name, domain in load(tmp_path / "wiring.py").__domains__.items()}
    assert named == {"services": ENGINE, "tasks": None}


Edit = Callable[[dict[str, Any], str], tuple[dict[str, Any], str]]
EDITS: dict[str, tuple[Edit, str]] = {
    "another in the wiring": (lambda report, text: (report, text.replace(ENGINE, "evil:Engine")), "evil:Engine"),
    "none in the wiring": (
        lambda report, text: (report, text.replace(LINE, "")),
        "wiring.py has None as the engine of Services",
    ),
    "another in the report": (
        lambda report, text: ({**report, "engines": {"service": "evil:Engine"}}, text),
        "and the report says evil:Engine",
    ),
    "none in the report": (
        lambda report, text: ({**report, "engines": {}}, text),
        "and the report says None",
    ),
    "another in both": (
        lambda report, text: ({**report, "engines": {"service": "evil:Engine"}}, text.replace(ENGINE, "evil:Engine")),
        "evil:Engine is not an engine of the runtime",
    ),
    "one of a domain that has none": (
        lambda report, text: (
            {**report, "engines": {"service": ENGINE, "task": "evil:Engine"}},
            text.replace("class Tasks(Domain):\n    _wiring: Wiring\n", "class Tasks(Domain):\n    _wiring: Wiring\n"
            '    __engine__ = "evil:Engine"\n'),
        ),
        "evil:Engine is not an engine of the runtime",
    ),
    "one of a domain of which nothing is bound": (
        lambda report, text: ({**report, "engines": {**report["engines"], "workflow": "evil:Engine"}}, text),
        "the report says evil:Engine is the engine of workflow, which wiring.py does not have",
    ),
    "one of a domain that is not there": (
        lambda report, text: ({**report, "engines": {**report["engines"], "attic": "evil:Engine"}}, text),
        "the report says evil:Engine is the engine of attic, which wiring.py does not have",
    ),
    "two lines": (lambda report, text: (report, text.replace(LINE, LINE * 2)), "line 14 has no place in a wiring"),
    "a line after the blocks": (
        lambda report, text: (report, text.replace("\n\n\nclass Tasks", f"\n{LINE}\n\nclass Tasks")),
        "has no place in a wiring",
    ),
    "code for a text": (
        lambda report, text: (report, text.replace(f'"{ENGINE}"', f'print("{ENGINE}")')),
        "has no place in a wiring",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_edits(outputs: Outputs, name: str) -> None:
    edit, told = EDITS[name]
    report, text = edit(json.loads(outputs["explain.json"]), outputs["wiring.py"].decode())
    assert (report, text) != (json.loads(outputs["explain.json"]), outputs["wiring.py"].decode())
    assert any(told in each for each in findings(report, text)), findings(report, text)
