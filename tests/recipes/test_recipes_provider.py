"""How to add a provider in a new category, as CONTRIBUTING.md tells it: recorded in `provider/`, made in a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipes.harness import Copy

BY_HAND = {
    "runtime/oneiric/adapters/lock/__init__.py",
    "runtime/oneiric/adapters/lock/valkey.py",
    "runtime/oneiric/testing/contracts/lock.py",
    "pyproject.toml",
    "docs/ports/lock.md",
    "tests/backends/test_backends_lock_valkey.py",
    "changes/+lock.added.md",
}
"""A server that the tests do not know yet is one more, tests/backends/harness/kinds.py; `just pin` pins a new SDK."""
MADE = {
    "schemas/settings/lock/valkey.schema.json",
    "runtime/oneiric/testing/contracts/__init__.py",
    "README.md",
}


def test_a_provider_in_a_new_category_takes_seven_files(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    assert copy.apply("provider") == BY_HAND
    with pytest.raises(AssertionError, match=r"stale: schemas/settings/lock/valkey\.schema\.json"):
        copy.check()
    assert copy.generate() == BY_HAND | MADE
    copy.check(
        "tests/layout/test_layout_adapters.py",
        "tests/docs/test_docs_ports.py",
        "tests/backends/test_backends_lock_valkey.py",
    )
