"""Actions in a compiled project: bound where somebody wants one, and not there where nobody does."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from oneiric import ActivationError
from oneiric_compiler.editor.builtin_schemas import builtins_and_sources

from tests.unit.cli.running import run as command
from tests.unit.runtime.projects import compiled, made, of

NEEDING = """
from oneiric import component
from oneiric.actions.compression import Encode

@component("service", "archive", provider="std", needs={"encode": "action:compression.encode"})
class Archive:
    def __init__(self, *, encode: Encode) -> None:
        self.encode = encode

    async def keep(self, text: str) -> str:
        return (await self.encode(text=text))["data"]
"""
ACTIONS = sorted(key.name for key in builtins_and_sources()[0] if key.domain == "action")


def actions_of(root: Path) -> dict[str, Any]:
    bindings = json.loads((root / "generated/explain.json").read_text())["bindings"]
    return {key: binding for key, binding in bindings.items() if key.startswith("action:")}


def test_nobody_wants_one_so_none_is_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = made(tmp_path, monkeypatch, "shop", {"settings/app.yml": "name: shop\n"})
    assert actions_of(root) == {}
    assert "actions" not in (root / "generated/wiring.py").read_text()


@pytest.mark.parametrize("key", ACTIONS)
def test_each_is_bound_where_it_is_selected(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (candidate,) = (each for own, found in builtins_and_sources()[0].items() if own.name == key for each in found)
    settings = f"selections: {{{key}: {candidate.provider}}}\n"
    root = made(tmp_path, monkeypatch, "shop", {"settings/app.yml": "name: shop\n", "settings/actions.yml": settings})
    binding = actions_of(root)[f"action:{key}"]
    assert (binding["factory"], binding["decided_by"]) == (candidate.factory, "only-candidate")
    assert candidate.port is not None and binding["port"] == candidate.port.value

    async def story() -> None:
        async with of(root) as runtime:
            with pytest.raises(TypeError):
                await (await runtime.use("action", key))(no_such_field=1)

    asyncio.run(story())


def test_one_that_is_needed_is_bound_and_typed_by_its_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"settings/app.yml": "name: shop\npackages: [shop]\n", "shop/__init__.py": "", "shop/archive.py": NEEDING}
    root = made(tmp_path, monkeypatch, "shop", files)
    assert list(actions_of(root)) == ["action:compression.encode"]
    compiled(root, actions="provider_settings: {builtin-compression: {algorithm: gzip}}\n")

    async def story() -> None:
        async with of(root) as runtime:
            assert (await runtime.wiring.services.archive.live.keep("x")).startswith("H4sI")
            live = runtime.wiring.actions.compression_encode.live
            assert (await live(text="x", algorithm="bz2"))["algorithm"] == "bz2"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("key", "settings", "module", "told"),
    [
        (
            "compression.encode",
            "builtin-compression: {algorithm: brotli}",
            "brotli",
            "the extra action-compression has",
        ),
        ("compression.hash", "builtin-hash: {algorithm: blake3}", "blake3", "the extra action-compression has"),
        (
            "serialization.encode",
            "builtin-serialization: {default_format: yaml}",
            "yaml",
            "the extra action-serialization has",
        ),
        (
            "validation.schema",
            "builtin-validation-schema: {schema: {}}",
            "jsonschema",
            "the extra action-validation has",
        ),
        ("validation.schema", "builtin-validation-schema: {models: {a: 'no.such:Class'}}", "none", "cannot be loaded"),
        ("validation.schema", "builtin-validation-schema: {schema: {type: 7}}", "none", "is not a JSON Schema"),
    ],
)
def test_what_the_settings_choose_is_looked_for_at_activation(
    key: str, settings: str, module: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = settings.partition(":")[0]
    actions = f"selections: {{{key}: {provider}}}\nprovider_settings:\n  {settings}\n"
    root = made(tmp_path, monkeypatch, "shop", {"settings/app.yml": "name: shop\n", "settings/actions.yml": actions})
    monkeypatch.delitem(sys.modules, "oneiric.actions._yaml", raising=False)
    monkeypatch.setitem(sys.modules, module, None)

    async def story() -> None:
        async with of(root) as runtime:
            with pytest.raises(ActivationError, match=rf"action:{key} \({provider}\): start failed: .*{told}"):
                await (await runtime.use("action", key))()

    asyncio.run(story())


MISTAKES = """\
selections:
  compression.encode: builtin-compresion
  compression.hash: builtin-hash
  security.secure: builtin-security-secure
  security.signature: builtin-security-signature
  validation.schema: builtin-validation-schema
provider_settings:
  builtin-compression: {algorithm: rar, level: nine}
  builtin-hash: {algorithms: sha256}
  builtin-security-secure: {include_symbols: false}
  builtin-security-signature: {secret: hunter2hunter2}
  builtin-validation-schema:
    fields: [{name: id, type: date, requires: true}]
"""


def test_mistakes_in_settings_are_told_all_at_once(tmp_path: Path) -> None:
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings/app.yml").write_text("name: shop\n")
    (tmp_path / "settings/actions.yml").write_text(MISTAKES)
    done = command("compile", cwd=tmp_path)
    assert done.returncode == 2
    told = done.stdout + done.stderr
    for wanted in (
        "`builtin-compresion`",
        "did you mean `builtin-compression`?",
        "`algorithm` of `builtin-compression`: `rar` is not one of",
        "`level` of `builtin-compression`: `nine` is not int",
        "`algorithms`",
        "tokens have letters, digits, `-` and `_`: remove it",
        "`date` is not one of",
        "`requires`",
        "`secret`",
    ):
        assert wanted in told, told
    assert "hunter2" not in told
