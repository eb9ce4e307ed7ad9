"""A framework is imported by the module for it alone, and that imports no other than it would by itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

FRAMEWORKS = {"celery", "django", "fastapi", "flask", "litestar", "starlette", "taskiq"}
LOADS = """
import importlib, sys
importlib.import_module({module!r})
print(*{{name.partition(".")[0] for name in sys.modules}})
"""


def loaded(module: str) -> set[str]:
    """The frameworks that the import of a module loads, in a process of its own."""
    code = LOADS.format(module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return FRAMEWORKS & {*done.stdout.split()}


@pytest.mark.parametrize("module", ["oneiric.integrations", "oneiric.integrations._views", "oneiric.testing.fixture"])
def test_nothing_else_loads_any(module: str) -> None:
    assert loaded(module) == set()


@pytest.mark.parametrize("framework", sorted(FRAMEWORKS))
def test_a_module_loads_its_framework_alone(framework: str) -> None:
    its_own = loaded("celery.app.task" if framework == "celery" else framework)  # which `celery` loads when it is used
    assert set() < loaded(f"oneiric.integrations.{framework}") <= its_own
