"""Which method of which class makes an instance, written into outputs by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from oneiric_compiler.verify import verify

WANT = Path(__file__).parents[1] / "golden" / "factories_of_classes" / "want"
EDITS = {
    "another method": ("Large.open()", "Large.yielded()", "another factory: factories_of_classes.parts:Large.yielded"),
    "no method": ("Large.open()", "Large()", "another factory: factories_of_classes.parts:Large"),
    "a method of a method": ("Large.open()", "Large.open.open()", "no place"),
    "another class": ("Large.open()", "Pool.open()", "no place"),
    "another class that is imported": (
        "from factories_of_classes.parts import Large\n        return Large.open()",
        "from elsewhere.parts import Large\n        return Large.open()",
        "another factory: elsewhere.parts:Large.open",
    ),
    "a method of the block": ("Large.open()", "self.open()", "no place"),
    "a method of what is made": ("Large.open()", "Large().open()", "no place"),
}


@pytest.mark.parametrize("name", EDITS)
def test_edits(name: str) -> None:
    old, new, told = EDITS[name]
    report, wiring = (WANT / "explain.json").read_text(), (WANT / "wiring.py").read_text()
    assert old in wiring
    altered = wiring.replace(old, new).encode()
    found = [*verify(json.loads(report), altered, (WANT / "tenants.jsonl").read_bytes())]
    assert any(told in each for each in found), found
