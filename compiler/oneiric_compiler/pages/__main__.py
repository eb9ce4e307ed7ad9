"""Makes what a checkout of this project holds that is made from something else; run at its root.

python -m oneiric_compiler.pages            writes what differs, and names it
python -m oneiric_compiler.pages --check    writes nothing: 1 when something is stale
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from oneiric_compiler.editor.builtin_schemas import settings_schemas
from oneiric_compiler.pages.calls import Calls
from oneiric_compiler.pages.diagnostics import page
from oneiric_compiler.pages.lists import with_every_contract, with_every_extra
from oneiric_compiler.pages.marked import filled
from oneiric_compiler.pages.options import options
from oneiric_compiler.pages.ports import Ports
from oneiric_compiler.pages.precedence import tiers
from oneiric_compiler.pages.schemas import with_tables
from oneiric_compiler.pages.words import words

_CONTRACTS = "runtime/oneiric/testing/contracts"


def made(root: Path) -> dict[Path, str | None]:
    """Each file that is made, or has parts that are, and what it is to hold; None is for one that is to go."""
    schemas = settings_schemas()
    files: dict[Path, str | None] = dict.fromkeys(root.glob("schemas/settings/**/*.schema.json"))
    files |= {root / "schemas/settings" / name: text for name, text in schemas.items()}
    ports = Ports({name.removesuffix(".schema.json"): json.loads(text) for name, text in schemas.items()})
    calls = Calls()
    makers = {
        "actions": calls.index,
        "options": options,
        "payload": calls.payload,
        "ports": ports.links,
        "providers": ports.providers,
        "result": calls.result,
        "settings": ports.settings,
        "tiers": tiers,
        "words": words,
    }
    files |= {
        path: filled(path.read_text("utf-8"), makers) for path in (root / "README.md", *root.glob("docs/**/*.md"))
    }
    files |= with_tables(root / "schemas")
    files[root / "docs/diagnostics.md"] = page()
    keys = {key for key, *rest in (name.split("/") for name in schemas) if len(rest) == 1}
    files[root / "pyproject.toml"] = with_every_extra((root / "pyproject.toml").read_text("utf-8"), keys)
    files[root / _CONTRACTS / "__init__.py"] = with_every_contract(root / _CONTRACTS)
    return files


def stale(root: Path) -> dict[Path, str | None]:
    """What of `made` differs from what is there."""
    return {
        path: text for path, text in made(root).items() if text != (path.read_text("utf-8") if path.exists() else None)
    }


def main(root: Path, check: bool) -> int:
    """Write what differs, or only say what does; the exit code."""
    found = stale(root)
    for path, text in sorted(found.items()):
        print(f"{'stale' if check else 'removed' if text is None else 'made'}: {path.relative_to(root).as_posix()}")
        if check:
            continue
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    return int(check and bool(found))


if __name__ == "__main__":
    sys.exit(main(Path.cwd(), "--check" in sys.argv[1:]))
