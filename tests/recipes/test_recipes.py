"""How to add what CONTRIBUTING.md has a recipe for: each is recorded in a folder here, and all are made in one copy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.recipes.harness import Copy

CASE = "tests/golden/recorded_empty_overlay"
OUTPUTS = frozenset(f"generated/{folder}{name}" for folder in ("", "production/") for name in ("explain.json",))
WIRINGS = frozenset(f"generated/{folder}wiring.py" for folder in ("", "production/"))


@dataclass(frozen=True)
class Recipe:
    """The files that are touched by hand, a test among them; those that `just generate` touches; the tests to run."""

    by_hand: set[str]
    made: frozenset[str] = frozenset()
    tests: tuple[str, ...] = ()


RECIPES = {
    "provider": Recipe(  # a server that the tests do not know yet is one more, and `just pin` pins a new SDK
        {
            "runtime/oneiric/adapters/lock/__init__.py",
            "runtime/oneiric/adapters/lock/valkey.py",
            "runtime/oneiric/testing/contracts/lock.py",
            "pyproject.toml",
            "docs/ports/lock.md",
            "tests/backends/test_backends_lock_valkey.py",
            "changes/+lock.added.md",
        },
        frozenset(
            {
                "schemas/settings/lock/valkey.schema.json",
                "runtime/oneiric/testing/contracts/__init__.py",
                "README.md",
            }
        ),
        ("tests/backends/test_backends_lock_valkey.py",),
    ),
    "diagnostic": Recipe(
        {
            "compiler/oneiric_compiler/diagnostics/codes.py",
            "compiler/oneiric_compiler/stages/read.py",
            "changes/+empty-overlay.added.md",
            f"{CASE}/settings/app.yml",
            f"{CASE}/settings/profiles/quiet.yml",
        },
        frozenset(
            {
                "compiler/oneiric_compiler/diagnostics/examples.txt",
                "docs/diagnostics.md",
                *(f"{CASE}/want/{name}" for name in ("choose.py", "errors.txt", "explain.json", "wiring.py")),
                *(f"{CASE}/want/quiet/{name}" for name in ("explain.json", "wiring.py")),
            }
        ),
        ("tests/golden/test_golden_examples.py",),
    ),
    "command": Recipe(
        {
            "compiler/oneiric_compiler/cli/app.py",
            "compiler/oneiric_compiler/cli/tenants.py",
            "docs/command.md",
            "changes/+tenants-command.added.md",
            "schemas/tenants.schema.json",
            "tests/unit/serve/test_serve_documents.py",
            "tests/unit/cli/test_cli_tenants.py",
        },
        tests=("tests/unit/cli/test_cli_tenants.py", "tests/layout/test_layout_documents.py"),
    ),
    "action": Recipe(
        {
            "runtime/oneiric/actions/hash.py",
            "docs/actions/hash.sha256.md",
            "changes/+hash.added.md",
            "tests/unit/actions/test_actions_hash.py",
        },
        frozenset({"schemas/settings/action/hash.sha256/hashlib.schema.json", "docs/actions.md"}),
        ("tests/unit/actions",),
    ),
    "layer": Recipe(
        {
            "runtime/oneiric/layers/delayed.py",
            "compiler/oneiric_compiler/tables/layers.py",
            "docs/layers.md",
            "changes/+delayed.added.md",
            "tests/unit/layers/test_layers_delayed.py",
        },
        tests=("tests/unit/layers/test_layers_delayed.py",),
    ),
    "engine": Recipe(  # the first brings the room's `__init__`
        {
            "runtime/oneiric/engines/__init__.py",
            "runtime/oneiric/engines/rounds.py",
            "compiler/oneiric_compiler/tables/engines.py",
            "docs/runtime.md",
            "changes/+rounds.added.md",
            "tests/unit/runtime/test_runtime_rounds.py",
        },
        OUTPUTS | WIRINGS,
        ("tests/unit/runtime/test_runtime_rounds.py",),
    ),
    "option": Recipe(  # the last two are for one that the runtime goes by
        {
            "compiler/oneiric_compiler/tables/options.py",
            "compiler/oneiric_compiler/model.py",
            "runtime/oneiric/declaration.py",
            "changes/+approved.added.md",
            "runtime/oneiric/wiring.py",
            "compiler/oneiric_compiler/verify/wiring.py",
        },
        frozenset(
            {"docs/components.md", *(f"schemas/{name}.schema.json" for name in ("domain", "explain", "manifest"))}
            | {"schemas/overlay.schema.json"}
        ),
    ),
    "tier": Recipe(
        {
            "compiler/oneiric_compiler/tables/tiers.py",
            "compiler/oneiric_compiler/model.py",
            "runtime/oneiric/declaration.py",
            "compiler/oneiric_compiler/verify/decisions.py",
            "changes/+maturity.added.md",
            "tests/recorded/test_recorded_tier.py",
        },
        OUTPUTS | {"docs/precedence.md", "schemas/remote.schema.json"},
        ("tests/recorded/test_recorded_tier.py",),
    ),
}
LAYOUT = (
    "tests/layout/test_layout.py::test_every_module_is_reached",
    "tests/layout/test_layout.py::test_built_in_components_take_of_the_package_what_users_declare_theirs_with",
    "tests/layout/test_layout_adapters.py",
    "tests/layout/test_layout_tables.py",
    "tests/layout/test_layout_schemas.py",
    "tests/docs/test_docs_ports.py",
)


def test_each_recipe_takes_the_files_that_it_names(tmp_path: Path) -> None:
    """The checks at the end are of all at once: what one of them breaks, no other makes good."""
    copy = Copy(tmp_path)
    touched: set[str] = set()
    for name, recipe in RECIPES.items():
        touched |= recipe.by_hand
        assert copy.apply(name) == touched, name
        if name == "diagnostic":
            copy.python("-m", "pytest", "-q", "--snapshot-update", "tests/golden/test_golden.py", "-k", "recorded")
            copy.python("-m", "pytest", "-q", "--snapshot-update", "tests/golden/test_golden_examples.py")
        touched |= recipe.made
        assert copy.generate() == touched, name
    copy.check(*LAYOUT, *(test for recipe in RECIPES.values() for test in recipe.tests))
