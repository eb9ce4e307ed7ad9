"""What compiles wrote for profiles that are no more is removed, and nothing else; other output folders are told."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from pathlib import Path

import pytest
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.stages import leftovers
from small_project import FILES, compiled, make, outputs_of, told

from tests.crashing import in_child, stop_at
from tests.unit.cli.running import run

GONE = "generated/busy"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose profile was compiled, and is not listed any more."""
    root = compiled(make(tmp_path))
    without_profile(root)
    return root


def without_profile(root: Path) -> None:
    (root / "settings/app.yml").write_text(FILES["settings/app.yml"].replace("profiles: [busy]\n", ""))
    (root / "settings/profiles/busy.yml").unlink(missing_ok=True)
    (root / "generated/choose.py").unlink()  # of which test_write_choosing tells


def swept(root: Path) -> tuple[list[str], list[str]]:
    """Compiles as the command does: the folders removed, and the codes told."""
    diagnostics = Diagnostics()
    removed = leftovers.remove(outputs_of(compiled(root)), diagnostics)
    return removed, [each.code for each in diagnostics]


def test_what_check_would_refuse_compile_removes(root: Path) -> None:
    """With the bytecode, and whatever signed or told of tenants."""
    (root / GONE / "wiring.sig").write_text('{"format": "oneiric.signature/1"}')
    (root / GONE / "__pycache__/wiring.cpython-399.pyc").touch()
    assert told(root) == {f"{GONE}/wiring.py": "ONE502"}
    done = run("compile", cwd=root)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"removed  {GONE}\n" in done.stdout
    assert not (root / GONE).exists()
    assert run("compile", "--check", cwd=root).returncode == 0


def test_the_document_names_what_was_removed(root: Path) -> None:
    assert json.loads(run("compile", "--format", "json", cwd=root).stdout)["removed"] == [GONE]
    assert json.loads(run("compile", "--format", "json", cwd=root).stdout)["removed"] == []


def test_files_of_others_stay(root: Path) -> None:
    (root / GONE / "__init__.py").write_text("import something\n")
    (root / GONE / "notes.md").write_text("mine")
    (root / GONE / "__pycache__/other.cpython-311.pyc").touch()
    assert swept(root) == ([GONE], [])
    left = {path.relative_to(root / GONE).as_posix() for path in (root / GONE).rglob("*") if path.is_file()}
    assert left == {"__init__.py", "notes.md", "__pycache__/other.cpython-311.pyc"}
    assert told(root) == {}


@pytest.mark.parametrize("name", ["wiring.py", "explain.json"])
def test_what_no_compile_wrote_is_not_touched_and_told_by_compile_and_check(root: Path, name: str) -> None:
    (root / GONE / name).write_text("# mine\n")
    before = sorted(path for path in (root / GONE).rglob("*"))
    assert swept(root) == ([], ["ONE502"])
    assert sorted(path for path in (root / GONE).rglob("*")) == before
    assert told(root) == {f"{GONE}/wiring.py": "ONE502"}
    done = run("compile", cwd=root)
    assert done.returncode == 1
    assert "not as a compile of this project wrote it" in done.stderr


@pytest.mark.parametrize(("fact", "value"), [("app", "other"), ("profile", "default"), ("format", "other/1")])
def test_outputs_of_another_project_stay(root: Path, fact: str, value: str) -> None:
    path = root / GONE / "explain.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), fact: value}))
    assert swept(root) == ([], ["ONE502"])
    assert path.exists()


def test_a_folder_that_is_a_link_stays_and_so_does_what_it_leads_to(root: Path) -> None:
    (root / GONE).rename(root / "elsewhere")
    (root / GONE).symlink_to(root / "elsewhere", target_is_directory=True)
    assert swept(root) == ([], ["ONE502"])
    assert (root / "elsewhere/wiring.py").exists()


def test_a_file_that_is_a_link_stays(root: Path) -> None:
    (root / GONE / "wiring.py").rename(root / "wiring.py")
    (root / GONE / "wiring.py").symlink_to(root / "wiring.py")
    swept(root)
    assert (root / "wiring.py").exists()


@pytest.mark.parametrize("arguments", [["--profile", "default"], ["--check"]])
def test_one_profile_alone_and_a_check_remove_nothing(root: Path, arguments: list[str]) -> None:
    run("compile", *arguments, cwd=root)
    assert (root / GONE / "wiring.py").exists()


def die_removing(root: Path, step: str, count: int) -> None:
    outputs = outputs_of(compiled(root))
    stop_at(step, count)
    leftovers.remove(outputs, Diagnostics())


@pytest.mark.usefixtures("no_builtins")
@pytest.mark.parametrize("step", ["unlink", "rmdir"])
def test_a_crash_while_removing_is_told_and_made_good(tmp_path: Path, step: str) -> None:
    for count in range(1, 12):
        root = compiled(make(tmp_path / str(count)))
        without_profile(root)
        in_child(partial(die_removing, root, step, count))
        if (root / GONE / "explain.json").exists():
            assert told(root) == {f"{GONE}/wiring.py": "ONE502"}
        assert swept(root)[1] == []
        assert told(root) == {}
        assert not any((root / GONE).glob("*.py"))


def elsewhere(root: Path) -> list[str]:
    diagnostics = Diagnostics()
    leftovers.tell_elsewhere(outputs_of(root), diagnostics)
    assert {each.code for each in diagnostics} <= {"ONE505"}
    return [each.span.source.path for each in diagnostics if each.span]


@pytest.mark.parametrize("output", ["wired", "src/wired/here"])
def test_an_output_of_before_is_told_by_compile_and_check(tmp_path: Path, output: str) -> None:
    root = make(tmp_path)
    app = root / "settings/app.yml"
    app.write_text(f"{FILES['settings/app.yml']}output: {output}\n")
    compiled(root)
    app.write_text(FILES["settings/app.yml"])
    done = run("compile", cwd=root)
    assert (done.returncode, done.stderr.count("warning[ONE505]")) == (0, 1)
    assert f"{output}/wiring.py" in done.stderr
    assert (root / output / "wiring.py").exists()
    checked = run("compile", "--check", cwd=root)
    assert (checked.returncode, checked.stderr) == (0, done.stderr)
    assert run("compile", "--check", "--strict", cwd=root).returncode == 1
    shutil.rmtree(root / output)
    assert run("compile", "--check", "--strict", cwd=root).returncode == 0


def test_what_is_no_earlier_output_is_not_told(tmp_path: Path) -> None:
    """Another project's, an environment's, a link, a wiring of swaps, one that cannot be imported."""
    root = compiled(make(tmp_path))
    for place in ("inner/generated", "venv/lib/wired", "node_modules/wired", "not-a-name/wired", "swapped", "other"):
        shutil.copytree(root / "generated", root / place)
    shutil.copytree(root / "settings", root / "inner/settings")
    (root / "venv/pyvenv.cfg").touch()
    (root / "linked").symlink_to(root / "generated", target_is_directory=True)
    for place, facts in {"swapped": {"inputs": {"overrides": {}}}, "other": {"app": "other"}}.items():
        path = root / place / "explain.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
    assert elsewhere(root) == []
    shutil.copytree(root / "generated", root / "told")
    assert elsewhere(root) == ["told/wiring.py"]


def test_folders_that_may_not_be_read_are_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = compiled(make(tmp_path))
    shutil.copytree(root / "generated", root / "closed/wired")
    scandir = os.scandir

    def refused(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert elsewhere(root) == []
