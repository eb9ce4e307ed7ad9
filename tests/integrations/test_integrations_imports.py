"""A framework is imported by its module, and by nothing else."""

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


@pytest.mark.parametrize(
    ("module", "wanted"),
    [
        ("oneiric.integrations", set()),
        ("oneiric.integrations._process", set()),
        ("oneiric.integrations.litestar", {"litestar"}),
        ("oneiric.integrations.starlette", {"starlette"}),
        ("oneiric.integrations.django", {"django"}),
        ("oneiric.integrations.fastapi", {"starlette"}),
        ("oneiric.integrations.flask", {"flask"}),
    ],
)
def test_a_module_loads_its_framework_alone(module: str, wanted: set[str]) -> None:
    assert loaded(module) == wanted
