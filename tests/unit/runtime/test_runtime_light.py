"""What a start imports, what a declaration records."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
from pathlib import Path

import oneiric
import pytest
from oneiric import component

from tests.unit.runtime.shop.wiring import Wiring

ROOT = Path(__file__).parents[3]
FORBIDDEN = {
    "asyncio", "typing", "inspect", "dataclasses", "logging", "importlib.metadata", "contextlib", "functools", "enum",
    "re", "collections.abc", "threading", "packaging",
}  # fmt: skip
SCRIPT = """
import os, sys
before = set(sys.modules)
import oneiric
from tests.unit.runtime.shop.wiring import Wiring
runtime = oneiric.Runtime(Wiring)
runtime.wiring.adapters.cache
runtime.snapshot()
print(*sorted(set(sys.modules) - before))
"""


def _interpreter(version: str) -> str:
    """A Python of that version on this machine; the test is skipped where there is none."""
    if sys.version.startswith(version):
        return sys.executable
    installed = (Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python")
    for python in (shutil.which(f"python{version}"), *map(str, installed)):
        if python is not None and subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
            return python
    pytest.skip(f"no Python {version}")


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_a_start_imports_nothing_heavy(version: str) -> None:
    python = _interpreter(version)
    path = f"import sys; sys.path[:0] = {[str(ROOT), str(ROOT / 'runtime')]!r}\n"
    ran = subprocess.run(
        [python, "-I", "-S", "-c", path + SCRIPT], capture_output=True, text=True, timeout=30, check=True
    )
    imported = ran.stdout.split()
    assert "oneiric.runtime" in imported
    assert set(imported) & FORBIDDEN == set()
    ours = [name for name in imported if name.split(".")[0] not in ("oneiric", "tests", "mmap", "gc", "__future__")]
    assert ours == []


@pytest.mark.parametrize("collects", [True, False])
def test_a_start_leaves_the_garbage_collector_as_it_was(collects: bool) -> None:
    before = gc.isenabled()
    (gc.enable if collects else gc.disable)()
    try:
        oneiric.Runtime(Wiring)
        assert gc.isenabled() is collects
    finally:
        (gc.enable if before else gc.disable)()


def test_every_public_name_is_there() -> None:
    for name in oneiric.__all__:
        assert getattr(oneiric, name) is not None
    with pytest.raises(AttributeError):
        _ = oneiric.nothing  # type: ignore[attr-defined]


def test_declarations_are_recorded_and_nothing_else_changes() -> None:
    @component("adapter", "cache", provider="one", stack_level=5)
    @component("adapter", "store", provider="two", needs={"database": "adapter:database"})
    class Both: ...

    class Child(Both): ...

    @component("task", "make", provider="f")
    def make() -> int:
        return 1

    declared = vars(Both)["__oneiric__"]
    assert [(each.key, each.provider) for each in declared] == [("store", "two"), ("cache", "one")]
    assert declared[1].arguments["stack_level"] == 5
    assert "__oneiric__" not in vars(Child)
    assert make() == 1
