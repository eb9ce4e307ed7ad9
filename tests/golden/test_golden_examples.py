"""Every code has an example, which is what the compiler says in a case: it cannot rot.

`just golden` replaces what no case says any more by the shortest that one says, and adds what is lacking.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from golden_cases import all_cases
from oneiric_compiler.diagnostics.codes import CODES
from oneiric_compiler.pages.diagnostics import page
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.diagnostics.examples import EXAMPLES, by_code, examples
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.diagnostics.render import as_text
from oneiric_compiler.checking import check
from oneiric_compiler.stages.write import write
from test_hostile import app_not_utf8
from test_hostile import root as root  # a fixture

MAIN = "from oneiric_compiler.cli import main; main()"


@pytest.fixture
def said(root: Path) -> dict[str, set[str]]:
    """What the compiler says of each code: in the cases, and of what cannot be committed."""
    found: dict[str, set[str]] = defaultdict(set)
    for text in (*(case.want.get("errors.txt", b"").decode() for case in all_cases()), *not_committed(root)):
        for code, blocks in by_code(text).items():
            found[code].update(block for block in blocks if block.startswith(f"{CODES[code].severity}["))
    return found


def not_committed(root: Path) -> list[str]:
    """Outputs that are stale, edited, not to be written, elsewhere, beside what others wrote; a file that is not UTF-8; a
    report that is none."""
    project, told = Project.at(root, {}), [Diagnostics() for _ in range(6)]
    outputs = compile_project(project, Diagnostics())
    assert outputs is not None
    write(outputs, Diagnostics())
    (root / "settings/app.yml").write_text("name: stall\npackages: [shop]\n")
    check(project, told[0])
    with (root / "generated/wiring.py").open("a") as wiring:
        wiring.write("# edited\n")
    check(project, told[1])
    (root / "settings/profiles").mkdir()
    (root / "settings/profiles/busy.yml").touch()
    (root / "settings/app.yml").write_text("name: shop\npackages: [shop]\nprofiles: [busy]\n")
    (root / "generated/choose.py").write_text("# my own\n")
    (root / "generated/wiring.so").touch()
    check(project, told[5])
    shutil.rmtree(root / "settings/profiles")
    (root / "generated").rename(root / "elsewhere")
    (root / "settings/app.yml").write_text("name: shop\npackages: [shop]\n")
    check(project, told[4])
    (root / "generated").touch()
    write(outputs, told[2])
    app_not_utf8(root)
    compile_project(project, told[3])
    (root / "explain.json").write_text('{"format": "oneiric.explain/2"}')
    command = [sys.executable, "-c", MAIN, "explain", "--from-report", "explain.json"]
    refused = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    return [*map(as_text, told), refused.stderr, not_synced(root)]


def not_synced(root: Path) -> str:
    """Sources that cannot be reached, one of them optional; one that is rejected, and one whose secret is not set."""
    public = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    common = {"keys": [public], "allow": ["acme"], "deadlines": {"total": 5}}
    nowhere = "https://127.0.0.1:9/acme.yaml"
    sources = [
        {"name": "acme", "address": nowhere, **common},
        {"name": "extras", "address": nowhere.replace("9", "7"), "required": False, **common},
        {"name": "local", "address": "vendor/local.yaml", **common},
        {
            "name": "private",
            "address": nowhere,
            "auth": {"header": "Authorization", "value": "Bearer ${ONEIRIC_SECRET_ACME}"},
            **common,
        },
    ]
    (root / "vendor").mkdir()
    (root / "vendor/local.yaml").write_text("source: local\nversion: 1\nentries: []\n")
    (root / "settings/app.yml").write_text("name: stall\npackages: [shop]\noutput: compiled\n")
    (root / "settings/remote.yml").write_text(json.dumps({"roots": ["vendor"], "sources": sources}, indent=1))
    command = [sys.executable, "-c", MAIN, "remote-sync"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False).stderr


@pytest.mark.golden
def test_every_example_is_what_the_compiler_says(said: dict[str, set[str]], updating: bool) -> None:
    if updating:
        update(said)
    shown = examples()
    assert list(shown) == list(CODES)
    assert {code: text for code, text in shown.items() if text not in said[code]} == {}


def test_every_example_is_told_once_and_starts_with_its_severity() -> None:
    found = by_code(EXAMPLES.read_text())
    assert {code: len(blocks) for code, blocks in found.items()} == dict.fromkeys(CODES, 1)
    assert all(text.startswith(f"{CODES[code].severity}[{code}]: ") for code, [text] in found.items())


def test_the_page_has_every_example() -> None:
    blocks = by_code(page())
    assert sorted(blocks) == sorted(CODES)
    assert all(f"```text\n{text}\n```\n" in page() for text in examples().values())


def update(said: dict[str, set[str]]) -> None:
    known = examples() if EXAMPLES.exists() else {}
    chosen = {
        code: known[code] if known.get(code) in said[code] else min(said[code], key=lambda text: (len(text), text))
        for code in CODES
    }
    EXAMPLES.write_text("\n\n".join(chosen.values()) + "\n")
