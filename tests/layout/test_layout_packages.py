"""What is distributed: the wheel holds both packages and their data, and works on the base dependencies alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
DEADLINE = 180


def run(*command: str, cwd: Path = CHECKOUT, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("ONEIRIC_", "PYTHON"))}
    return subprocess.run(
        command, cwd=cwd, env={**kept, **environ}, capture_output=True, text=True, timeout=DEADLINE, check=False
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done = run(sys.executable, "-m", "hatchling", "build", "-d", str(folder))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_every_module_of_both_packages_and_nothing_else(names: set[str]) -> None:
    wanted = {
        path.relative_to(CHECKOUT / root).as_posix()
        for root in ("compiler", "runtime")
        for path in (CHECKOUT / root).rglob("*")
        if path.is_file() and path.suffix in (".py", ".typed", ".txt")
    }
    data = {
        f"oneiric_compiler/{path.relative_to(CHECKOUT).as_posix()}"
        for folder in ("schemas", "templates")
        for path in (CHECKOUT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == wanted | data


def test_the_wheel_is_typed_and_holds_its_data(names: set[str]) -> None:
    assert {"oneiric/py.typed", "oneiric_compiler/py.typed"} <= names
    assert {"oneiric_compiler/schemas/app.schema.json", "oneiric_compiler/templates/wiring.py.j2"} <= names
    assert "oneiric_compiler/templates/init/shop/settings/app.yml.j2" in names
    assert "oneiric_compiler/templates/init/common/.github/workflows/oneiric.yml" in names


def test_the_wheel_holds_no_tests_and_no_settings_of_this_project(names: set[str]) -> None:
    assert {name.partition("/")[0] for name in names} == {"oneiric", "oneiric_compiler"}
    tests = [name for name in names if name.rpartition("/")[2].startswith("test_")]
    assert [name for name in tests if not name.startswith("oneiric_compiler/templates/init/")] == []


def test_the_metadata_keeps_it_off_the_public_index(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        assert "Classifier: Private :: Do Not Upload" in archive.read(metadata).decode()


def test_the_sdist_builds_the_same_wheel(built: Path, names: set[str], tmp_path: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    assert (source / "tests").is_dir()
    done = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "again"), cwd=source)
    assert done.returncode == 0, done.stderr
    (again,) = (tmp_path / "again").glob("*.whl")
    with zipfile.ZipFile(again) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == names


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel, which sees the dependencies installed here but not this checkout."""
    folder = tmp_path_factory.mktemp("environment")
    assert run(sys.executable, "-m", "venv", "--without-pip", str(folder)).returncode == 0
    (site,) = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "dependencies.pth").write_text(
        f"import sys; sys.path.append({os.path.dirname(os.path.dirname(pytest.__file__))!r})\n"
    )
    return folder / "bin/python"


def oneiric(python: Path, *arguments: str, cwd: Path, without: str = "") -> subprocess.CompletedProcess[str]:
    """The command of the installed wheel, `without` the modules named."""
    hidden = f"import sys; sys.modules.update(dict.fromkeys({without.split()!r})); "
    return run(str(python), "-c", hidden + "from oneiric_compiler.cli import main; main()", *arguments, cwd=cwd)


def test_the_installed_command_works_from_the_wheel_alone(installed: Path, tmp_path: Path) -> None:
    origin = run(
        str(installed), "-c", "import oneiric, oneiric_compiler as c; print(oneiric.__file__, c.__file__)", cwd=tmp_path
    )
    assert origin.stdout.count("site-packages") == 2, origin
    assert str(CHECKOUT) not in origin.stdout
    version = oneiric(installed, "--version", cwd=tmp_path)
    assert (version.returncode, version.stdout) == (0, "oneiric 0.1.0\n"), version.stderr


def test_init_and_compile_work_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    begun = oneiric(installed, "init", ".", cwd=tmp_path)
    assert begun.returncode == 0, begun.stderr
    assert oneiric(installed, "compile", "--check", cwd=tmp_path).stdout == "fresh\n"


EXTRA = "yaml jsonschema jinja2 cryptography httpx"


def test_reading_a_report_needs_the_base_dependencies_only(installed: Path, tmp_path: Path) -> None:
    assert oneiric(installed, "init", ".", cwd=tmp_path).returncode == 0
    report = ("--from-report", "generated/explain.json")
    for command in (("--version",), ("list",), ("explain", "cache", *report), ("explain-code", "ONE110")):
        done = oneiric(installed, *command, cwd=tmp_path, without=EXTRA)
        assert done.returncode == 0, done.stderr


def test_compiling_without_the_extra_names_it(installed: Path, tmp_path: Path) -> None:
    done = oneiric(installed, "compile", cwd=tmp_path, without=EXTRA)
    assert done.returncode == 2
    assert "extra `compiler`" in done.stderr
    assert "pip install" not in done.stderr
    assert "Traceback" not in done.stderr
