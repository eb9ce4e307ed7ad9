"""The table of operations: every row can be asked for, and a new one is a row and a method."""

from __future__ import annotations

import shutil
from pathlib import Path

import oneiric
import pytest
from oneiric.errors import OneiricError
from oneiric.serve.operations import OPERATIONS

from tests.unit.serve.serving import Served

PLAUSIBLE = {
    "within": 1, "key": "service:greeter", "provider": "loud", "note": "a note",
    "payload": "{}", "topic": "order.placed", "limit": 1, "id": "1", "ids": [], "names": [],
    "wiring": "generated/wiring.py",
}  # fmt: skip
ROW = '    "keys": Operation('
NEW_ROW = '    "uptime": Operation("status.uptime", {"unit": str}, reads=True),\n'
METHOD = "    def keys(self)"
NEW_METHOD = '''    def uptime(self, unit: str) -> dict[str, Any]:
        """Since when it runs."""
        return {"since": self._since, "unit": unit}

'''


def test_every_row_names_a_method_that_takes_what_the_row_says(project: Path) -> None:
    with Served(project) as served:
        for name, operation in OPERATIONS.items():
            arguments = {
                each: PLAUSIBLE.get(each, False if shape is bool else None) for each, shape in operation.takes.items()
            }
            try:
                assert isinstance(served.ask(name, **arguments), dict)
            except OneiricError as error:  # the project has neither runs nor topics, and a paused service by then
                assert "cannot be used" not in str(error), (name, error)


def test_a_new_operation_is_a_row_and_a_method(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe, done on a copy of the runtime: two files change, and no other knows of it."""
    package = tmp_path / "changed" / "oneiric"
    shutil.copytree(Path(oneiric.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for file, place, new in (("operations.py", ROW, NEW_ROW), ("status.py", METHOD, NEW_METHOD)):
        text = (package / "serve" / file).read_text()
        assert text.count(place) == 1
        (package / "serve" / file).write_text(text.replace(place, new + place))
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    with Served(project) as served:
        answer = served.ask("uptime", unit="seconds")
        assert answer == {"since": served.ask("status")["started_at"], "unit": "seconds"}
