"""Whether a factory is entered, written into outputs by hand: it is a fact of the report, the wiring and the lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from oneiric_compiler.verify import verify

WANT = Path(__file__).parents[1] / "golden" / "factories_entered" / "want"
EDITS = {
    "not entered": ("wiring.py", "self._enter(lock())", "lock()", "another entered: False"),
    "entered": ("wiring.py", "return unknown()", "return self._enter(unknown())", "another entered: True"),
    "entered in a thread": ("wiring.py", "await self._enter_async(async_m", "self._enter(async_m", "no place"),
    "entered in the loop": ("wiring.py", "return self._enter(lock", "return self._enter_async(lock", "no place"),
    "entered twice": ("wiring.py", "self._enter(lock())", "self._enter(self._enter(lock()))", "no place"),
    "entered with more": ("wiring.py", "self._enter(lock())", "self._enter(lock(), 1)", "no place"),
    "by another method": ("wiring.py", "self._enter(lock())", "self._leave(lock())", "no place"),
    "another report": ("explain.json", '"entered": true,\n   "result"', '"result"', "another entered: True"),
    "another line": ("tenants.jsonl", ', "entered": true', "", "tenants.jsonl"),
}


@pytest.mark.parametrize("name", EDITS)
def test_edits(name: str) -> None:
    file, old, new, told = EDITS[name]
    files = {each: (WANT / each).read_text() for each in ("explain.json", "wiring.py", "tenants.jsonl")}
    assert old in files[file]
    files[file] = files[file].replace(old, new)
    found = [*verify(json.loads(files["explain.json"]), files["wiring.py"].encode(), files["tenants.jsonl"].encode())]
    assert any(told in each for each in found), found
