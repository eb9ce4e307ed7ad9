"""Lines of tenants beside a wiring made by hand, which names them as the compiler would."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any


def with_tenants(path: Path, *entries: Mapping[str, Any], listed: tuple[str, ...] = ()) -> Path:
    """Write `tenants.jsonl`, with these lines and those that list their tenants (and `listed`), and have the wiring
    at `path` name them; the path again."""
    tenants = sorted({*listed, *(entry["tenant"] for entry in entries)})
    lines = {(tenant, ""): json.dumps({"tenant": tenant}) for tenant in tenants}
    lines |= {(entry["tenant"], entry["key"]): json.dumps(entry) for entry in entries}
    ordered = sorted(lines.items(), key=lambda entry: entry[1][:-1])
    source = path.read_text()
    for key in {key for _, key in lines} - {""}:
        counted = _counted(line for (_, of), line in ordered if of == key)
        source = re.sub(rf'(@bind\("{key}", "[^"]*")', rf'\1, tenants="{counted}"', source)
    if tenants:
        counted = _counted(line for (_, key), line in ordered if not key)
        source = re.sub(r"(class Wiring\(.*\):\n)", rf'\1    __listed__ = "{counted}"\n', source)
    part = path.with_name("part")
    part.write_text("".join(f"{line}\n" for _, line in ordered))
    part.replace(path.with_name("tenants.jsonl"))
    path.write_text(source)
    return path


def _counted(lines: Any) -> str:
    listed = [f"{line}\n" for line in lines]
    return f"{len(listed)}:{sha256(''.join(listed).encode()).hexdigest()[:8]}"
