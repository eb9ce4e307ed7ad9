"""How to add an option of candidates, and a tier, as CONTRIBUTING.md tells it: recorded, and made in one copy."""

from __future__ import annotations

from pathlib import Path

from tests.recipes.harness import Copy

OPTION = {
    "compiler/oneiric_compiler/tables/options.py",
    "compiler/oneiric_compiler/model.py",
    "runtime/oneiric/declaration.py",
    "runtime/oneiric/wiring.py",
    "compiler/oneiric_compiler/verify/wiring.py",
    "changes/+approved.added.md",
}
"""The wiring and the second opinion of it are touched for an option that the runtime goes by, and for no other."""
TIER = {
    "compiler/oneiric_compiler/tables/tiers.py",
    "compiler/oneiric_compiler/model.py",
    "runtime/oneiric/declaration.py",
    "compiler/oneiric_compiler/verify/decisions.py",
    "changes/+maturity.added.md",
}
TEST = "tests/recorded/test_recorded_tier.py"
MADE = {
    "docs/components.md",
    "docs/precedence.md",
    "generated/explain.json",
    "generated/production/explain.json",
    "schemas/domain.schema.json",
    "schemas/explain.schema.json",
    "schemas/manifest.schema.json",
    "schemas/overlay.schema.json",
    "schemas/remote.schema.json",
}


def test_an_option_takes_five_files_and_a_tier_four(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    assert copy.apply("option") == OPTION
    assert copy.apply("tier") == OPTION | TIER | {TEST}
    assert copy.generate() == OPTION | TIER | {TEST} | MADE
    copy.check("tests/layout/test_layout_tables.py", "tests/layout/test_layout_schemas.py", TEST)
