"""Disks that refuse, other writers, and bytecode."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from importlib.util import cache_from_source
from pathlib import Path

import pytest
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.stages.write import write
from small_project import compiled, make, outputs_of, set_fee, state, told

MAIN = "from oneiric_compiler.cli import main; main()"
DEADLINE = 60


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path)


def environ() -> dict[str, str]:
    """Without the caller's settings; Python itself leaves half a .pyc on a full disk, so here it writes none."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("ONEIRIC_", "PYTHON"))}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1"}


def compile_in(root: Path, before: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    """`oneiric compile` as a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", MAIN, "--project", str(root), "compile"],
        env=environ(),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        preexec_fn=before,
        check=False,
    )


def bound_by_permissions() -> None:
    """Takes from a superuser the right to write where permissions forbid it."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (1, 2):
        if os.getuid() == 0 and libc.prctl(24, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")


@pytest.mark.parametrize("room", [0, 1, 1000, 3000])
def test_a_full_disk_is_told_and_leaves_what_was_there(root: Path, room: int) -> None:
    """`room` bytes fit into a file, as on a disk that has no more."""
    before = state(compiled(root))
    set_fee(root, 2)
    done = compile_in(root, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)))
    assert (done.returncode, done.stdout) == (2, "")
    assert "ONE501" in done.stderr
    assert "Traceback" not in done.stderr
    assert state(root) == before
    assert not list((root / "generated").rglob("*/.*"))
    python(root, "-c", "import generated.wiring")


def test_a_folder_that_may_not_be_written_is_told(root: Path) -> None:
    before = state(compiled(root))
    set_fee(root, 2)
    (root / "generated").chmod(0o555)
    done = compile_in(root, bound_by_permissions)
    (root / "generated").chmod(0o755)
    assert done.returncode == 2
    assert "ONE501" in done.stderr
    assert "Traceback" not in done.stderr
    assert state(root) == before


def refused(root: Path) -> str:
    diagnostics = Diagnostics()
    assert not write(outputs_of(root), diagnostics)
    (only,) = diagnostics
    assert only.code == "ONE501"
    return only.message


def test_a_file_where_the_output_folder_should_be(root: Path) -> None:
    (root / "generated").write_text("mine")
    refused(root)
    assert (root / "generated").read_text() == "mine"


@pytest.mark.parametrize("name", ["explain.json", "wiring.py", "tenants.jsonl", "busy/wiring.py"])
def test_a_folder_where_a_file_should_be(root: Path, name: str) -> None:
    before = state(compiled(root))
    (root / "generated" / name).unlink()
    (root / "generated" / name).mkdir()
    set_fee(root, 2)
    assert name in refused(root)
    del before[f"generated/{name}"]
    assert state(root) == before


def test_a_link_where_a_file_should_be_is_replaced_and_its_target_left_alone(root: Path, tmp_path: Path) -> None:
    compiled(root)
    target = tmp_path / "elsewhere.py"
    target.write_text("# mine\n")
    (root / "generated/wiring.py").unlink()
    (root / "generated/wiring.py").symlink_to(target)
    compiled(root)
    assert target.read_text() == "# mine\n"
    assert not (root / "generated/wiring.py").is_symlink()
    assert told(root) == {}


def test_an_output_folder_that_is_a_link_is_followed(root: Path) -> None:
    (root / "real").mkdir()
    (root / "generated").symlink_to("real")
    compiled(root)
    assert (root / "real/wiring.py").is_file()
    assert told(root) == {}


def test_files_get_the_permissions_that_the_umask_leaves(root: Path) -> None:
    old = os.umask(0o027)
    try:
        compiled(root)
    finally:
        os.umask(old)
    assert {(root / name).stat().st_mode & 0o777 for name in state(root)} == {0o640}


def test_an_init_file_of_the_users_own_stays(root: Path) -> None:
    (root / "generated").mkdir()
    (root / "generated/__init__.py").write_text('"""Ours."""\n')
    compiled(root)
    assert (root / "generated/__init__.py").read_text() == '"""Ours."""\n'


def test_compiles_at_once_of_the_same_settings_end_fresh(root: Path) -> None:
    command = [sys.executable, "-c", MAIN, "--project", str(root), "compile"]
    running = [subprocess.Popen(command, env=environ(), stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for each in running:
        assert each.communicate(timeout=DEADLINE)[1] == ""
        assert each.returncode == 0
    assert told(root) == {}
    assert not [name for name in state(root) if Path(name).name.startswith(".")]


def test_compiles_at_once_of_different_settings_leave_a_pair_or_a_state_that_check_reports(root: Path) -> None:
    outputs = []
    for fee in (1, 2):
        set_fee(root, fee)
        outputs.append(outputs_of(root))
    for _ in range(20):
        children = []
        for each in outputs:
            child = os.fork()
            if not child:
                try:
                    write(each, Diagnostics())
                finally:
                    os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
        found = state(root)
        last = {f"{folder}/{n}": data for folder, files in outputs[1].profiles.values() for n, data in files.items()}
        assert (told(root) == {}) == all(found[name] == data for name, data in last.items())


def bytecode(root: Path) -> Path:
    return Path(cache_from_source(root / "generated/wiring.py"))


def test_bytecode_is_checked_by_hash(root: Path) -> None:
    compiled(root)
    assert bytecode(root).read_bytes()[4:8] == b"\x03\x00\x00\x00"
    assert str(root).encode() not in bytecode(root).read_bytes()


def python(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env=environ(),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )


def test_bytecode_is_used_whatever_the_time_of_the_source(root: Path) -> None:
    compiled(root)
    os.utime(root / "generated/wiring.py", (1, 1))
    before = bytecode(root).read_bytes()
    told_by_python = python(root, "-v", "-c", "import generated.wiring").stderr
    assert f"code object from '{bytecode(root)}'" in told_by_python
    assert bytecode(root).read_bytes() == before


def test_two_wirings_of_one_size_and_one_time_are_not_confused(root: Path) -> None:
    code = "from generated.wiring import Services; print(Services.__bindings__['payments'].fingerprint)"
    seen = set()
    for fee in (1, 2, 1):
        set_fee(root, fee)
        compiled(root)
        os.utime(root / "generated/wiring.py", (1_000_000_000, 1_000_000_000))
        seen.add(python(root, "-c", code).stdout)
    assert len(seen) == 2
