"""Lists in sources that follow from what is there: what `dev` installs, the contracts that are exported."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Collection
from pathlib import Path

_EVERY_EXTRA = re.compile(r'(?m)(?<=^dev = \[\n    )"oneiric\[[a-z0-9_,-]*\]"')
_BUNDLES = re.compile(r"(?m)^(# the providers of a key together.*\n)(?:[a-z_]+ = \[\"oneiric\[.*\n)*")
_MADE = "# made by `just generate`, from here to the end\n"
_APART = {"dev", "embedding-sentence-transformers"}  # with PyTorch, which is larger than all the others together
_HELPERS = {"running": ["close", "started"]}


def with_every_extra(pyproject: str, keys: Collection[str]) -> str:
    """pyproject.toml, in which an extra for each of the `keys` brings those of its providers, and `dev` every one; both
    without those that are installed by themselves."""
    extras = [name for name in tomllib.loads(pyproject)["project"]["optional-dependencies"] if name not in _APART]
    found = {key: [name for name in extras if name.startswith(f"{key}-")] for key in sorted(keys)}
    bundles = "".join(f'{key} = ["oneiric[{",".join(names)}]"]\n' for key, names in found.items() if names)
    single = ",".join(name for name in extras if name not in keys)
    return _BUNDLES.sub(rf"\g<1>{bundles}", _EVERY_EXTRA.sub(f'"oneiric[{single}]"', pyproject))


def with_every_contract(package: Path) -> str:
    """The `__init__` of the package of contracts, which exports those that its modules define."""
    exported = {path.stem: names for path in sorted(package.glob("[a-z]*.py")) if (names := _exported(path))}
    head, marker, _ = (package / "__init__.py").read_text("utf-8").partition(_MADE)
    assert marker, f"{package} has no line `{_MADE.strip()}`"
    imports = (
        f"from oneiric.testing.contracts.{module} import {', '.join(names)}  # noqa: E402\n"
        for module, names in exported.items()
    )
    names = sorted(name for names in exported.values() for name in names)
    listed = "".join(f'    "{name}",\n' for name in names)
    return f"{head}{marker}{''.join(imports)}\n__all__ = [\n{listed}]\n"


def _exported(path: Path) -> list[str]:
    """The contracts for subclassing that a module defines, and what they are used with."""
    tree = ast.parse(path.read_bytes())
    contracts = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.name != "Contract"]
    return sorted(name for name in contracts if name.endswith("Contract")) + _HELPERS.get(path.stem, [])
