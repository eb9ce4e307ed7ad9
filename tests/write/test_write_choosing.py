"""`choose.py`: written where there are profiles, checked, removed with them, and never in place of somebody's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.stages import leftovers
from oneiric_compiler.stages.write import write
from small_project import FILES, compiled, make, outputs_of, set_fee, told

from tests.unit.cli.running import run

CHOOSER = "generated/choose.py"
STALE, EDITED = "ONE502", "ONE503"
PORTS = "\nports: {payments: 'shop.ports:Payments'}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return compiled(make(tmp_path))


def without_profile(root: Path) -> None:
    (root / "settings/app.yml").write_text(FILES["settings/app.yml"].replace("profiles: [busy]\n", ""))
    (root / "settings/profiles/busy.yml").unlink()


def refused(root: Path) -> list[str]:
    """The codes of a write that changes nothing."""
    before = {path: path.read_bytes() for path in (root / "generated").rglob("*") if path.is_file()}
    diagnostics = Diagnostics()
    assert not write(outputs_of(root), diagnostics)
    assert {path: path.read_bytes() for path in (root / "generated").rglob("*") if path.is_file()} == before
    return [each.code for each in diagnostics]


EDITS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "another profile under a name": (lambda data: data.replace(b"from .busy.wiring", b"from .wiring"), EDITED),
    "a comment": (lambda data: data + b"# fine\n", EDITED),
    "line ends": (lambda data: data.replace(b"\n", b"\r\n"), EDITED),
    "a merge conflict": (lambda data: b"<<<<<<< HEAD\n" + data, EDITED),
}


@pytest.mark.usefixtures("no_builtins")
@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_told_and_written_over(root: Path, name: str) -> None:
    edit, code = EDITS[name]
    before = (root / CHOOSER).read_bytes()
    (root / CHOOSER).write_bytes(edit(before))
    assert (root / CHOOSER).read_bytes() != before
    assert told(root) == {CHOOSER: code}
    compiled(root)
    assert told(root) == {}
    assert (root / CHOOSER).read_bytes() == before


@pytest.mark.usefixtures("no_builtins")
def test_one_that_is_missing_is_told(root: Path) -> None:
    (root / CHOOSER).unlink()
    assert told(root) == {CHOOSER: STALE}


@pytest.mark.usefixtures("no_builtins")
def test_settings_that_change_what_is_offered_make_it_stale(root: Path) -> None:
    before = (root / CHOOSER).read_bytes()
    set_fee(root, 2)
    assert CHOOSER not in told(root)
    (root / "shop/ports.py").write_text("from typing import Protocol\n\nclass Payments(Protocol): ...\n")
    (root / "settings/services.yml").write_text(FILES["settings/services.yml"] + PORTS)
    assert told(root)[CHOOSER] == STALE
    compiled(root)
    assert told(root) == {}
    assert b"  # shop.ports:Payments" in (root / CHOOSER).read_bytes()
    assert b"  # shop.ports:Payments" not in before


@pytest.mark.usefixtures("no_builtins")
def test_without_profiles_there_is_none_and_somebodys_own_is_his(tmp_path: Path) -> None:
    root = make(tmp_path)
    without_profile(root)
    compiled(root)
    assert not (root / CHOOSER).exists()
    (root / CHOOSER).write_text("# my own\n")
    assert leftovers.remove(outputs_of(compiled(root)), Diagnostics()) == []
    assert told(root) == {}
    assert (root / CHOOSER).read_text() == "# my own\n"


def test_it_goes_with_the_last_profile(root: Path) -> None:
    without_profile(root)
    shutil.rmtree(root / "generated/busy")
    assert told(root) == {CHOOSER: STALE}
    done = run("compile", "--json", cwd=root)
    assert json.loads(done.stdout)["removed"] == [CHOOSER]
    assert not (root / CHOOSER).exists()
    assert run("compile", "--check", cwd=root).returncode == 0


@pytest.mark.usefixtures("no_builtins")
@pytest.mark.parametrize("profile", ["default", "busy"])
def test_one_profile_alone_says_nothing_of_it(root: Path, profile: str) -> None:
    before = (root / CHOOSER).read_bytes()
    (root / CHOOSER).write_bytes(b"# my own\n")
    assert told(root, profile=profile) == {}
    assert run("compile", "--profile", profile, cwd=root).returncode == 0
    assert (root / CHOOSER).read_bytes() == b"# my own\n" != before


@pytest.mark.usefixtures("no_builtins")
def test_somebodys_own_is_not_written_over(root: Path) -> None:
    (root / CHOOSER).write_text("# my own\n")
    assert told(root) == {CHOOSER: "ONE124"}
    assert refused(root) == ["ONE124"]


def package(path: Path) -> None:
    path.mkdir()
    (path / "__init__.py").touch()


@pytest.mark.usefixtures("no_builtins")
@pytest.mark.parametrize(
    ("place", "make_it"),
    [
        ("generated/choose", package),
        ("generated/wiring", package),
        ("generated/busy/wiring", package),
        ("generated/choose.so", Path.touch),
        ("generated/busy/wiring.cpython-311-x86_64-linux-gnu.so", Path.touch),
        ("generated/wiring.abi3.so", Path.touch),
    ],
)
def test_what_is_imported_in_place_of_a_module_is_told(root: Path, place: str, make_it: Callable[[Path], None]) -> None:
    make_it(root / place)
    assert told(root) == {place: "ONE125"}
    assert refused(root) == ["ONE125"]


@pytest.mark.usefixtures("no_builtins")
def test_what_python_passes_over_is_not_told(root: Path) -> None:
    (root / "generated/choose").mkdir()
    (root / "generated/choose.pyc").touch()
    (root / "generated/wiring.txt").touch()
    package(root / "generated/wirings")
    assert told(root) == {}


@pytest.mark.parametrize("edited", ["from .busy.wiring import Wiring", '"busy": _busy', "# service:payments is"])
def test_verify_finds_what_was_edited(root: Path, edited: str) -> None:
    assert run("verify", cwd=root).returncode == 0
    text = (root / CHOOSER).read_text()
    assert edited in text
    (root / CHOOSER).write_text(text.replace(edited, f"{edited[:-1]}x"))
    done = run("verify", cwd=root)
    assert done.returncode == 1
    assert "does not hold generated: choose.py: line " in done.stdout
    (root / CHOOSER).write_text(f"{text}import evil\n")
    assert "choose.py: line " in run("verify", cwd=root).stdout


def test_verify_holds_it_against_the_reports_of_all_profiles(root: Path) -> None:
    """The base's is as it was; what the other profile binds is something else."""
    path = root / "generated/busy/explain.json"
    report = json.loads(path.read_text())
    report["bindings"]["service:other"] = report["bindings"]["service:payments"]
    path.write_text(json.dumps(report))
    found = json.loads(run("verify", "generated", "--json", cwd=root).stdout)["findings"]["generated"]
    assert found
    assert "service:other is not in default" in found[0]
