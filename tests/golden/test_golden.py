"""Every case compiles to exactly the bytes in its `want/`; `just golden` writes them again."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from golden_cases import Case, all_cases, compiled, produced
from oneiric import Runtime, Wiring
from oneiric_compiler.diagnostics.codes import CODES
from oneiric_compiler.diagnostics.edits import FIXABLE
from oneiric_compiler.diagnostics.render import as_github, as_json, as_sarif
from test_hostile import HOSTILE_CODES

from tests.remote.codes import SYNC_CODES

CASES = all_cases()
SECRET = b"hunter2"

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.mark.golden
@each_case
def test_a_case_compiles_to_what_is_wanted(case: Case, updating: bool) -> None:
    found = produced(compiled(case).outputs, compiled(case).diagnostics)
    if updating:
        _update(case, found)
    want = case.want
    for name in sorted(found.keys() & want.keys()):
        assert found[name].decode() == want[name].decode(), name
    assert sorted(found) == sorted(want)


@each_case
def test_no_secret_reaches_any_output(case: Case) -> None:
    diagnostics = compiled(case).diagnostics
    said = as_json(diagnostics) + as_sarif(diagnostics, version="0") + as_github(diagnostics)
    assert SECRET not in said.encode()
    assert not [name for name, data in case.want.items() if SECRET in data]


@each_case
def test_what_is_wrong_has_a_help(case: Case) -> None:
    assert not [(each.code, each.message) for each in compiled(case).diagnostics if not each.help]


@each_case
def test_the_table_knows_whose_helps_are_edits(case: Case) -> None:
    assert {each.code for each in compiled(case).diagnostics if each.edits} <= FIXABLE.keys()


@each_case
def test_no_machine_is_named(case: Case) -> None:
    root, outputs, diagnostics = compiled(case).root, compiled(case).outputs, compiled(case).diagnostics
    for name, data in produced(outputs, diagnostics).items():
        assert str(root.parent).encode() not in data, name


@pytest.mark.parametrize("case", [case for case in CASES if case.succeeds], ids=lambda case: case.name)
def test_a_wiring_imports_and_a_runtime_takes_it(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = case.copied(tmp_path)
    monkeypatch.setenv("ONEIRIC_ARTIFACTS", str(tmp_path / "artifacts"))
    if (root / "generated/manifests").is_dir():
        shutil.copytree(root / "generated/manifests", root / "wanted/manifests")
    for place in [Path(name) for name in case.want if name.endswith("wiring.py")]:
        want, copy = case.folder / "want" / place.parent, root / "wanted" / place.parent
        shutil.copytree(want, copy, dirs_exist_ok=True)
        with imported(copy / "wiring.py") as wiring:
            runtime: Runtime[Wiring] = Runtime(wiring)
            assert runtime.wiring is not None


def test_every_code_has_a_case() -> None:
    said = b"".join(case.want.get("errors.txt", b"") for case in CASES).decode()
    shown = set(re.findall(r"^(?:error|warning|note)\[(ONE\d{3})\]", said, re.MULTILINE))
    assert sorted(CODES.keys() - shown - HOSTILE_CODES - SYNC_CODES) == []


@contextmanager
def imported(file: Path) -> Iterator[type[Wiring]]:
    """A wiring's class, loaded from a file under a name of its own."""
    name = f"golden_{file.parent.parent.name}_{file.parent.name}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        yield module.Wiring
    finally:
        del sys.modules[name]


def _update(case: Case, found: dict[str, bytes]) -> None:
    want = case.folder / "want"
    shutil.rmtree(want, ignore_errors=True)
    for name, data in found.items():
        (want / name).parent.mkdir(parents=True, exist_ok=True)
        (want / name).write_bytes(data)
