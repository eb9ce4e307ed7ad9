"""How to add an action, as CONTRIBUTING.md tells it: recorded in `action/`, made in a copy."""

from __future__ import annotations

from pathlib import Path

from tests.recipes.harness import Copy

BY_HAND = {
    "runtime/oneiric/actions/__init__.py",
    "runtime/oneiric/actions/hash.py",
    "docs/actions/hash.sha256.md",
    "changes/+hash.added.md",
    "tests/unit/actions/test_actions_hash.py",
}
"""The first action brings the room's `__init__`."""
MADE = {"schemas/settings/action/hash.sha256/hashlib.schema.json", "README.md"}


def test_an_action_takes_five_files(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    assert copy.apply("action") == BY_HAND
    assert copy.generate() == BY_HAND | MADE
    copy.check(
        "tests/unit/actions",
        "tests/layout/test_layout.py",
        "tests/layout/test_layout_adapters.py",
        "tests/docs/test_docs_ports.py",
    )
