"""The same inputs give the same bytes, whatever the machine, interpreter, locale, time zone, folder or order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from environments import SUPPORTED, interpreter, others, python_of
from rich_project import make

SCRIPT = Path(__file__).with_name("compile_here.py")
DEADLINE = 120


def compile_with(
    root: Path,
    *arguments: str,
    python: str = sys.executable,
    cwd: Path | None = None,
    shown: str | None = None,
    **environ: str,
) -> Any:
    """Outputs and diagnostics of a compile in a process of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [python, str(SCRIPT), shown or str(root), *arguments],
        cwd=cwd or root,
        env={**kept, "PYTHONPATH": str(root / "installed"), "PYTHONDONTWRITEBYTECODE": "1", **environ},
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("rich"))


@pytest.fixture(scope="module")
def expected(root: Path) -> Any:
    found = compile_with(root, PYTHONHASHSEED="0")
    assert found["outputs"], found["diagnostics"]
    return found


def test_the_project_is_rich(expected: Any) -> None:
    names = [
        f"generated{folder}/{name}" for folder in ("", "/calm", "/production") for name in ("explain.json", "wiring.py")
    ]
    assert set(names) < set(expected["outputs"])
    report = json.loads(expected["outputs"]["generated/explain.json"])
    assert report["inputs"]["plugins"] == {"acme-oneiric": "1.2"}
    assert "lost_by" in expected["outputs"]["generated/explain.json"]
    assert "excluded_by" in expected["outputs"]["generated/production/explain.json"]
    assert (
        "rebuilt_for" in expected["outputs"]["generated/tenants.jsonl"] + expected["outputs"]["generated/explain.json"]
    )


@pytest.mark.parametrize("seed", ["1", "2", "4242", "random"])
def test_hash_seeds(root: Path, expected: Any, seed: str) -> None:
    assert compile_with(root, PYTHONHASHSEED=seed) == expected


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8", "en_US.ISO-8859-1", "tr_TR.UTF-8"])
def test_locales(root: Path, expected: Any, locale: str) -> None:
    assert compile_with(root, LC_ALL=locale, LANG=locale) == expected


def test_a_locale_whose_text_is_ascii(root: Path, expected: Any) -> None:
    found = compile_with(root, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert found["outputs"].keys() == expected["outputs"].keys()
    assert found == expected


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/St_Johns", "UTC"])
def test_time_zones(root: Path, expected: Any, zone: str) -> None:
    assert compile_with(root, TZ=zone) == expected


def test_working_folders(root: Path, expected: Any, tmp_path: Path) -> None:
    assert compile_with(root, shown=".") == expected
    assert compile_with(root, cwd=tmp_path) == expected
    assert compile_with(root, cwd=root.parent, shown=root.name) == expected
    assert compile_with(root, cwd=root / "shop", shown="..") == expected


def test_project_folders(expected: Any, tmp_path: Path) -> None:
    elsewhere = make(tmp_path / "ein anderer Ort, ünd so")
    assert compile_with(elsewhere) == expected
    link = tmp_path / "link"
    link.symlink_to(elsewhere)
    assert compile_with(link) == expected


def test_no_output_names_the_machine(root: Path, expected: Any) -> None:
    text = "".join(expected["outputs"].values())
    assert str(root) not in text
    assert str(Path.home()) not in text
    assert os.uname().nodename not in text or len(os.uname().nodename) < 6


def test_the_order_that_folders_list_files_in(root: Path, expected: Any) -> None:
    assert compile_with(root, "reversed") == expected


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_of_keys_and_of_making_files(expected: Any, tmp_path: Path, seed: int) -> None:
    assert compile_with(make(tmp_path, shuffled=seed)) == expected


def test_optimised_python(root: Path, expected: Any) -> None:
    assert compile_with(root, PYTHONOPTIMIZE="2") == expected


@pytest.mark.parametrize("version", others())
def test_interpreters(root: Path, expected: Any, version: str) -> None:
    python = python_of(version)
    if python is None:
        wanted = "no environment; `just versions` builds it" if interpreter(version) else "not on this machine"
        pytest.skip(f"Python {version}: {wanted}")
    assert compile_with(root, python=str(python)) == expected


def test_the_supported_interpreters_are_those_of_the_project() -> None:
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in SUPPORTED
