"""Every wanted wiring is clean under `mypy --strict`, and under pyright.

One run checks all cases, since starting a type checker costs seconds: their packages lie in one folder, so they all
have names of their own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import oneiric
import pytest
from golden_cases import HERE, Case, all_cases

RUNTIME = Path(oneiric.__file__).parent.parent
UNTYPED = frozenset(("factories_untyped", "objects_unread", "objects_attrs_names"))
CASES = [case for case in all_cases() if case.succeeds and not case.own_builtins]
TYPED = [case for case in CASES if case.name not in UNTYPED]
PROGRAM = """\
from typing import Any, assert_type

from chosen.ports import Mail, Order
from oneiric import Runtime, Slot
from oneiric.declared import TopicSlot

from .choose import Offered, choose


async def main() -> None:
    async with Runtime(choose()) as runtime:
        assert_type(runtime.wiring, Offered)
        assert_type(runtime.wiring.services.mail, Slot[Mail])
        assert_type(runtime.tenant("acme").plugin.greeting.current, object)
        await runtime.wiring.services.mail.live.send("you")
        assert_type(runtime.wiring.services.post, Slot[Mail])
        assert_type(runtime.wiring.topics.order_placed, TopicSlot[Order])
        assert_type(runtime.wiring.topics.order_seen, TopicSlot[dict[str, Any]])


async def wrong(offered: Offered) -> None:
    offered.services.finder  # type: ignore[attr-defined]  # pyright: ignore
    offered.topics.order_sent  # type: ignore[attr-defined]  # pyright: ignore
    offered.services.search  # type: ignore[attr-defined]  # pyright: ignore
    offered.services.mail.live.post  # type: ignore[attr-defined]  # pyright: ignore
"""
"""One program for every profile of the case `chosen`. What it may not do, the checkers refuse: they report comments that
ignore nothing."""


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of all cases beside each other, and the modules that they compile to below `wanted/CASE`."""
    root = tmp_path_factory.mktemp("merged")
    for case in CASES:
        for package in packages(case):
            assert not (root / package.name).exists(), f"{package.name} is in two cases"
            copy = shutil.copytree if package.is_dir() else shutil.copyfile
            copy(package, root / package.name)
        for name, data in case.want.items():
            if name.endswith(".py"):
                file = root / "wanted" / case.name / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
    (root / "wanted" / "chosen" / "program.py").write_text(PROGRAM)
    return root


def packages(case: Case) -> list[Path]:
    """What a case's wiring imports, besides the runtime: where it has modules or packages."""
    folders = [case.folder, *(case.folder / name for name in ("src", "lib", "plugins"))]
    found = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
    return [path for path in found if path.suffix == ".py" or (path / "__init__.py").is_file() or _is_shared(path)]


def _is_shared(path: Path) -> bool:
    """Whether distributions of a case have packages in the folder, which is none itself."""
    return path.parent.name == "plugins" and any(path.glob("*/__init__.py"))


def files(root: Path, cases: list[Case]) -> list[str]:
    return [str(file.relative_to(root)) for case in cases for file in sorted((root / "wanted" / case.name).rglob("*.py"))]


def test_all_cases_are_checked() -> None:
    assert {case.name for case in CASES} >= UNTYPED
    assert len(TYPED) > 50


def test_mypy_finds_nothing_in_any_wiring(merged: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.11", "--config-file", os.devnull]
    command += ["--follow-imports", "silent", "--explicit-package-bases", *files(merged, TYPED)]
    environ = {**os.environ, "MYPYPATH": os.pathsep.join((str(merged), str(RUNTIME)))}
    cache = HERE.parent.parent / ".mypy_cache" / "golden"
    result = subprocess.run(
        [*command, "--cache-dir", str(cache)],
        cwd=merged,
        env=environ,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_pyright_finds_nothing_in_any_wiring(merged: Path) -> None:
    settings = {
        "include": files(merged, TYPED),
        "extraPaths": [str(merged), str(RUNTIME)],
        "typeCheckingMode": "standard",
        "reportUnnecessaryTypeIgnoreComment": True,
        "enableTypeIgnoreComments": False,
        "pythonVersion": "3.11",
    }
    (merged / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--project", str(merged), "--pythonpath", sys.executable]
    result = subprocess.run(command, cwd=merged, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
