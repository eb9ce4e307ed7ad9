"""The action hash.sha256: as a function, and under its key in a compiled project that selects it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from oneiric import Runtime, load
from oneiric.actions.hash import sha256
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.stages.write import write

HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
SETTINGS = "selections: {hash.sha256: hashlib}\nprovider_settings: {hashlib: {pepper: p}}\n"


def compiled(root: Path, actions: str | None) -> dict[str, Any]:
    (root / "settings").mkdir()
    (root / "settings/app.yml").write_text("name: shop\n")
    if actions is not None:
        (root / "settings/actions.yml").write_text(actions)
    diagnostics = Diagnostics()
    outputs = compile_project(Project.at(root, {}), diagnostics)
    assert outputs is not None, [each.message for each in diagnostics]
    write(outputs, diagnostics)
    bindings: dict[str, Any] = json.loads((root / "generated/explain.json").read_text())["bindings"]
    return bindings


@pytest.mark.parametrize(("text", "salt"), [("hello", ""), ("", "hello"), ("llo", "he")])
def test_a_function_takes_what_the_action_takes(text: str, salt: str) -> None:
    assert sha256(text=text, salt=salt) == {"algorithm": "sha256", "digest": HELLO}


def test_it_is_bound_where_it_is_selected(tmp_path: Path) -> None:
    binding = compiled(tmp_path, SETTINGS)["action:hash.sha256"]
    assert binding["factory"] == "oneiric.actions.hash:HashlibSha256"
    assert binding["port"] == "oneiric.actions.hash:Sha256"

    async def story() -> Any:
        async with Runtime(load(tmp_path / "generated/wiring.py")) as runtime:
            return await (await runtime.use("action", "hash.sha256"))(text="hé", salt="s")

    wanted = hashlib.sha256("pshé".encode()).hexdigest()
    assert asyncio.run(story()) == {"algorithm": "sha256", "digest": wanted}


def test_nobody_asks_for_it_so_nothing_is_bound(tmp_path: Path) -> None:
    assert "action:hash.sha256" not in compiled(tmp_path, None)
